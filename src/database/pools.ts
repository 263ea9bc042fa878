import type { Env } from '../config/env';
import type { BoundedPool } from './bounded-pool';
import { createPool } from './pool';
import type { PoolName } from './pool-name';
import { chooseBatching } from './tenant-canary';

/** Where the two serving logins connect; the monitor's, and the app login's on a replica, where there are such. */
export type DatabaseUrls = Record<PoolName, string> & { monitor?: string | undefined; replica?: string | undefined };

/** The connection pools beneath the Prisma clients, for who must see how full they are. */
export class Pools {
  readonly app: BoundedPool;
  readonly platform: BoundedPool;
  /** For reads that may be stale; undefined without POSTGRES_REPLICA_URL. */
  readonly replica: BoundedPool | undefined;

  /** Each pool sends the tenant in the fastest way that its server takes (tenant-canary.ts). @throws StartupError when tenants mix */
  static async open(urls: DatabaseUrls, env: Env): Promise<Pools> {
    const pools = new Pools(urls, env);
    try {
      const all = [pools.app, pools.platform, ...(pools.replica ? [pools.replica] : [])];
      await Promise.all(all.map(chooseBatching));
      return pools;
    } catch (error) {
      await pools.end();
      throw error;
    }
  }

  private constructor(urls: DatabaseUrls, env: Env) {
    this.app = createPool('app', urls.app, env);
    this.platform = createPool('platform', urls.platform, env);
    this.replica = urls.replica === undefined ? undefined : createPool('replica', urls.replica, env);
  }

  /** Closes every connection, once what runs on it is done. */
  async end(): Promise<void> {
    await Promise.all([this.app.end(), this.platform.end(), this.replica?.end()]);
  }
}
