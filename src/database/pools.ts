import type pg from 'pg';
import type { Env } from '../config/env';
import { createPool, type PoolName } from './pool';

/** Where the two serving logins connect. */
export type DatabaseUrls = Record<PoolName, string>;

/** The connection pools beneath the Prisma clients, for who must see how full they are. */
export class Pools {
  readonly app: pg.Pool;
  readonly platform: pg.Pool;

  constructor(urls: DatabaseUrls, env: Env) {
    this.app = createPool('app', urls.app, env);
    this.platform = createPool('platform', urls.platform, env);
  }

  /** Closes every connection, once what runs on it is done. */
  async end(): Promise<void> {
    await Promise.all([this.app.end(), this.platform.end()]);
  }
}
