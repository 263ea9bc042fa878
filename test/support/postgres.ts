import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { connectAsAdministrator } from '../../src/database/administrator';
import { grantAccess } from '../../src/database/application-database';
import { LOGIN_PURPOSES, type LoginPurpose, LOGINS, type LoginUrls } from '../../src/database/login-definitions';
import { ensureTimeouts, type TimeoutEnv } from '../../src/database/login-timeouts';
import { connectTo, urlFor } from '../../src/database/server-connection';
import type { TestServer } from './test-server';

/** One of Tenantry's logins, or the superuser. */
export type TestLogin = LoginPurpose | 'admin';

export type Row = Record<string, unknown>;

/** A database of a suite's own. Make it in `beforeAll`, drop it in `afterAll`. */
export interface TestDatabase {
  name: string;
  urls: LoginUrls;
  /** Of the superuser, for this database. */
  adminUrl: string;
  /** One statement, in a transaction of its own. */
  query<Result extends object = Row>(login: TestLogin, sql: string, parameters?: unknown[]): Promise<Result[]>;
  /**
   * Runs `work` on one connection, in a transaction that is rolled back.
   * @param tenantId what the transaction has for its tenant; undefined: none is set
   */
  inTransaction<Result>(
    login: TestLogin,
    tenantId: string | undefined,
    work: (client: pg.ClientBase) => Promise<Result>,
  ): Promise<Result>;
  /** A connection of its own; the caller ends it. */
  connect(login: TestLogin): Promise<pg.Client>;
  drop(): Promise<void>;
}

const MAX_CONNECTIONS_PER_LOGIN = 2;

/** The server of this run; it starts when the first suite asks (server-on-demand.ts). */
export async function testServer(): Promise<TestServer> {
  const url = process.env.TENANTRY_TEST_SERVER;
  if (!url) throw new Error('TENANTRY_TEST_SERVER is not set: run the specs with jest, whose globalSetup opens it.');
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`PostgreSQL for the tests does not start: ${await answer.text()}`);
  return (await answer.json()) as TestServer;
}

/**
 * A new database with Tenantry's schema, in about 100 ms. Its owner, who may connect and the timeouts are as
 * `npm run db:bootstrap` leaves them.
 * @param options.empty without the schema, for specs about migrations
 * @param options.timeouts of the logins that serve requests; the configuration's defaults when not given
 */
export async function newDatabase(options: { empty?: boolean; timeouts?: TimeoutEnv } = {}): Promise<TestDatabase> {
  const server = await testServer();
  const name = `test_${randomBytes(6).toString('hex')}`;
  const admin = await connectAsAdministrator(server.adminUrl);
  try {
    // Nobody connects to the template, so copies can be made side by side.
    const template = options.empty ? "template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'" : server.template;
    await admin.client.query(`CREATE DATABASE ${name} OWNER ${LOGINS.owner.name} TEMPLATE ${template}`);
    const client = await connectTo(urlFor(server.adminUrl, name));
    try {
      await grantAccess(client, admin, name); // a copy has not the grants on the database itself
    } finally {
      await client.end();
    }
    await ensureTimeouts(admin, name, options.timeouts); // nor the logins' settings in it
  } finally {
    await admin.client.end();
  }
  return new Database(server, name);
}

class Database implements TestDatabase {
  readonly urls: LoginUrls;
  readonly adminUrl: string;
  private readonly pools = new Map<TestLogin, pg.Pool>();

  constructor(
    private readonly server: TestServer,
    readonly name: string,
  ) {
    this.adminUrl = urlFor(server.adminUrl, name);
    this.urls = Object.fromEntries(
      LOGIN_PURPOSES.map((purpose) => [purpose, urlFor(server.urls[purpose], name)]),
    ) as LoginUrls;
  }

  async query<Result extends object>(login: TestLogin, sql: string, parameters: unknown[] = []): Promise<Result[]> {
    return (await this.pool(login).query<Result>(sql, parameters)).rows;
  }

  async inTransaction<Result>(
    login: TestLogin,
    tenantId: string | undefined,
    work: (client: pg.ClientBase) => Promise<Result>,
  ): Promise<Result> {
    const client = await this.pool(login).connect();
    try {
      await client.query('BEGIN');
      if (tenantId !== undefined) await client.query(`SET LOCAL app.tenant_id = ${pg.escapeLiteral(tenantId)}`);
      return await work(client);
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
  }

  async connect(login: TestLogin): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.urlOf(login) });
    client.on('error', () => undefined); // a spec may have it terminated; the next query tells
    await client.connect();
    return client;
  }

  async drop(): Promise<void> {
    await Promise.all([...this.pools.values()].map((pool) => pool.end()));
    const client = await connectTo(this.server.adminUrl);
    try {
      await client.query(`DROP DATABASE IF EXISTS ${this.name} WITH (FORCE)`);
    } finally {
      await client.end();
    }
  }

  private pool(login: TestLogin): pg.Pool {
    const known = this.pools.get(login);
    if (known) return known;
    const pool = new pg.Pool({ connectionString: this.urlOf(login), max: MAX_CONNECTIONS_PER_LOGIN });
    pool.on('error', () => undefined); // a spec may have its connections terminated
    this.pools.set(login, pool);
    return pool;
  }

  private urlOf(login: TestLogin): string {
    return login === 'admin' ? this.adminUrl : this.urls[login];
  }
}
