import { Logger } from '@nestjs/common';
import { newId } from '../../src/common/id';
import { readEnv } from '../../src/config/env';
import type { BoundedPool } from '../../src/database/bounded-pool';
import { newScope, within } from '../../src/database/database-scope';
import { createPool } from '../../src/database/pool';
import { chooseBatching } from '../../src/database/tenant-canary';
import { pgBouncerProgram } from '../support/pgbouncer';
import { newDatabase, type TestDatabase } from '../support/postgres';

let database: TestDatabase;
let pool: BoundedPool;
const warnings: string[] = [];

beforeAll(async () => {
  database = await newDatabase({ empty: true });
});
beforeEach(() => {
  warnings.length = 0;
  jest.spyOn(Logger.prototype, 'warn').mockImplementation((message: string) => void warnings.push(message));
  pool = createPool('app', database.urls.app, Object.assign(readEnv({}), { POSTGRES_POOL_SIZE: 2 }));
  pool.on('error', () => undefined);
});
afterEach(async () => {
  jest.restoreAllMocks();
  await pool.end();
});
afterAll(() => database.drop());

/** Puts something between the pool and each of its connections, as a strange pooler would. */
function disturb(change: (statements: { text: string }[]) => void): void {
  pool.on('connect', (client) => {
    const own = client as unknown as { send(...args: unknown[]): unknown };
    const send = own.send.bind(own);
    own.send = (statements, ...rest) => {
      const copies = (statements as { text: string }[]).map((statement) => ({ ...statement }));
      change(copies);
      return send(copies, ...rest);
    };
  });
}

describe('the canary', () => {
  it('takes the fastest way that the server and what stands before it allow', async () => {
    await chooseBatching(pool);
    expect(pool.batching).toEqual({ areBatched: true, areNamed: pgBouncerProgram() === undefined });
    expect(warnings).toEqual([]);
  });

  it('leaves no tenant behind', async () => {
    await chooseBatching(pool);
    const text = "SELECT current_setting('app.tenant_id', true) AS tenant";
    const rows = await Promise.all([1, 2].map(async () => (await pool.query<object>({ text })).rows[0]));
    expect(rows).toEqual([{ tenant: '' }, { tenant: '' }]);
  });

  it('goes back to transactions, with a warning, where several statements at once are refused', async () => {
    disturb((statements) => {
      if (statements.length > 1) statements[0]!.text = 'SELECT refused';
    });
    await chooseBatching(pool);
    expect(pool.batching).toEqual({ areBatched: false, areNamed: false });
    expect(warnings).toEqual([expect.stringContaining('several round trips')]);
    const tenantId = newId();
    const text = "SELECT current_setting('app.tenant_id', true) AS tenant";
    const { rows } = await within(newScope(tenantId), () => pool.query<object>({ text }));
    expect(rows).toEqual([{ tenant: tenantId }]);
    await expect(within(newScope(tenantId), () => pool.query({ text: 'SELECT 1 / 0' }))).rejects.toThrow();
    expect((await pool.query<object>({ text })).rows).toEqual([{ tenant: '' }]);
  });

  it.each([
    ['another tenant is set', /SET LOCAL app.*/, `SET LOCAL app.tenant_id = '${newId()}'`],
    ['none is set', /SET LOCAL app.*/, "SET LOCAL app.tenant_id = ''"],
    ['it outlives its transaction', 'SET LOCAL app', 'SET app'],
  ])('refuses to serve when not even a transaction has its own tenant: %s', async (_, part, instead) => {
    disturb((statements) => {
      for (const statement of statements)
        statement.text = statement.text.replace(part, instead).replace(/^.*set_config.*$/, 'SELECT refused');
    });
    await expect(chooseBatching(pool)).rejects.toThrow('Tenantry will not serve');
  });

  it('refuses to serve where the tenant outlives its statement', async () => {
    disturb((statements) => {
      for (const statement of statements) statement.text = statement.text.replace(', true)', ', false)');
    });
    await expect(chooseBatching(pool)).rejects.toThrow('another tenant was set after a statement');
  });
});
