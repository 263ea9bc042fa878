import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { receiveContinuously } from '../../src/backups/native/continuous-receiver';
import { NativeEngine } from '../../src/backups/native/native-engine';
import type { RestoreMode, RestoreResult } from '../../src/backups/tenant-restores/tenant-restore';
import {
  type RunOptions,
  RestoreConnections,
  TenantRestoreJob,
} from '../../src/backups/tenant-restores/tenant-restore-job';
import { undoRestore, WrittenSinceError } from '../../src/backups/tenant-restores/undo-restore';
import { newId, PLATFORM_TENANT_ID } from '../../src/common/id';
import { type BackupEnv, readBackupEnv } from '../../src/config/backup-env';
import { type Query, readCatalogue } from '../support/catalogue';
import { type Doors, openDoors } from '../support/doors';
import { eventually } from '../support/eventually';
import { OwnServer } from '../support/own-server';
import { insertOf, Rows } from '../support/rows';
import { TENANT_TABLES } from '../support/tenant-tables';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

const OTHERS = 20;
/** Between two writes of one of them: the restore's own server comes last in turn for the processor, and must get it. */
const PAUSE_MS = 50;
/** A restore takes seconds: tests share the moment that they go back to, and each has a tenant of its own from before it. */
const TENANTS = 18;
const SYSTEM = { type: 'system' } as const;

let server: OwnServer;
let directory: string;
let env: BackupEnv;
let admin: pg.Client;
let doors: Doors;
let rows: Rows;
const stop = new AbortController();
let receiving: Promise<void>;
const tenants: TestTenant[] = [];
const others: string[] = [];
let at: Date;

beforeAll(async () => {
  server = await OwnServer.start();
  directory = makeTestDirectory();
  env = readBackupEnv({
    POSTGRES_URL: server.urls.app,
    POSTGRES_BACKUP_URL: server.urls.backup,
    BACKUP_DIR: path.join(directory, 'repository'),
    BACKUP_KEY: randomBytes(32).toString('base64'),
    DATA_DIR: path.join(directory, 'data'),
    ...(process.env.TEST_POSTGRES_BIN && { POSTGRES_BIN_DIR: process.env.TEST_POSTGRES_BIN }),
  });
  mkdirSync(env.dataDir);
  admin = new pg.Client({ connectionString: server.adminUrl() });
  await admin.connect();
  const query: Query = async (sql, parameters) => (await admin.query(sql, parameters)).rows as never;
  rows = new Rows(await readCatalogue(query), query);
  doors = await openDoors(server.urls);
  const engine = NativeEngine.open(env);
  receiving = receiveContinuously(
    {
      store: engine.store,
      url: () => server.urls.backup,
      everyMs: 3_000,
      onGap: () => undefined,
      onFailure: () => undefined,
    },
    stop.signal,
  );
  for (let count = 0; count < TENANTS; count += 1) tenants.push(await newTenant());
  for (let count = 0; count < OTHERS; count += 1) others.push((await newTenant()).id);
  await engine.createBackup({ checkpoint: 'fast' });
  at = await momentFromNow();
}, 300_000);
afterAll(async () => {
  stop.abort();
  await receiving;
  await doors?.close();
  await admin?.end();
  await server?.remove();
  removeTestDirectory(directory);
});

interface TestTenant {
  id: string;
  slug: string;
  ownerId: string;
}

/** A tenant with an owner, and a row in each table. */
async function newTenant(): Promise<TestTenant> {
  const id = newId();
  await rows.fillTenant(id);
  const membership = await rows.insert('app.memberships', id);
  const role = await rows.insert('app.roles', id);
  await admin.query("UPDATE app.roles SET system_key = 'owner' WHERE id = $1", [role.id]);
  await admin.query('INSERT INTO app.membership_roles (tenant_id, membership_id, role_id) VALUES ($1, $2, $3)', [
    id,
    membership.id,
    role.id,
  ]);
  await admin.query('UPDATE app.role_permissions SET conditions = $2 WHERE tenant_id = $1', [
    id,
    JSON.stringify({ id }),
  ]);
  const { rows: found } = await admin.query<{ slug: string }>('SELECT slug FROM app.tenants WHERE id = $1', [id]);
  return { id, slug: found[0]!.slug, ownerId: membership.user_id as string };
}

/** One that nothing was done to since the moment. */
function takeTenant(): TestTenant {
  const tenant = tenants.pop();
  if (!tenant) throw new Error('Raise TENANTS.');
  return tenant;
}

/** A moment after all that is committed, by the server's clock, once the log is stored up to it. */
async function momentFromNow(): Promise<Date> {
  const { rows: found } = await admin.query<{ now: Date }>("SELECT clock_timestamp() + interval '1 ms' AS now");
  await sleep(20);
  const now = found[0]!.now;
  await eventually(async () => {
    const { until } = await NativeEngine.open(env).planRestore({ moment: { kind: 'latest' } });
    expect(until.getTime()).toBeGreaterThan(now.getTime());
  }, 60_000);
  return now;
}

async function restore(
  tenant: TestTenant,
  moment: Date,
  mode: RestoreMode,
  { intoSlug, ...options }: Partial<RunOptions> & { intoSlug?: string } = {},
): Promise<{ id: string; result: RestoreResult }> {
  const connections = await RestoreConnections.open(env);
  try {
    const request = { tenantId: tenant.id, tenantSlug: tenant.slug, at: moment, mode, intoSlug, requester: SYSTEM };
    const job = await TenantRestoreJob.begin(connections, request);
    return { id: job.id, result: await job.run({ signal: new AbortController().signal, ...options }) };
  } finally {
    await connections.close();
  }
}

async function undo(id: string, force = false) {
  const connections = await RestoreConnections.open(env);
  try {
    return await undoRestore(connections.writer, id, { requester: SYSTEM, force });
  } finally {
    await connections.close();
  }
}

/** A checksum of each table of a tenant: what it holds, but for how often it was changed. */
async function checksumsOf(tenantId: string, except: string[] = []): Promise<Record<string, string>> {
  const sums: Record<string, string> = {};
  for (const name of TENANT_TABLES.filter((table) => !['app.tenants', 'audit.events', ...except].includes(table))) {
    const { rows: found } = await admin.query<{ sum: string }>(
      `SELECT md5(coalesce(string_agg((to_jsonb(t) - 'version')::text, ',' ORDER BY to_jsonb(t) - 'version'), '')) AS sum
       FROM ${name} t WHERE tenant_id = $1`,
      [tenantId],
    );
    sums[name] = found[0]!.sum;
  }
  return sums;
}

/** Of all that the others do not write to. */
async function checksumsOfOthers(): Promise<Record<string, string>[]> {
  const sums: Record<string, string>[] = [];
  for (const id of others) sums.push(await checksumsOf(id, ['app.roles']));
  return sums;
}

const recordOf = async (id: string) =>
  (await admin.query('SELECT * FROM ops.tenant_restores WHERE id = $1', [id])).rows[0] as Record<string, unknown>;
const keptRows = async (id: string): Promise<number> =>
  (await admin.query('SELECT FROM ops.tenant_restore_rows WHERE restore_id = $1', [id])).rowCount!;
const eventsOf = async (tenantId: string, action: string) =>
  (
    await admin.query<{ after: { restoreId: string } }>(
      'SELECT actor_type, target_id, after FROM audit.events WHERE tenant_id = $1 AND action = $2',
      [tenantId, action],
    )
  ).rows;
const sumOf = (result: RestoreResult) =>
  result.difference.reduce((sum, { onlyThen, onlyNow, changed }) => sum + onlyThen + onlyNow + changed, 0);

/** Ruins a tenant: what somebody asks to have back. */
async function ruin({ id }: TestTenant): Promise<void> {
  await admin.query("UPDATE app.roles SET description = 'ruined', version = version + 1 WHERE tenant_id = $1", [id]);
  await admin.query('DELETE FROM app.role_permissions WHERE tenant_id = $1', [id]);
  await rows.insert('app.memberships', id);
}

describe('one tenant restored while 20 others write', () => {
  it('is as it was, and they lose nothing and see no error', async () => {
    const tenant = takeTenant();
    const before = await checksumsOf(tenant.id);
    await ruin(tenant);
    expect(await checksumsOf(tenant.id)).not.toEqual(before);
    const untouched = await checksumsOfOthers();

    const writing = { isOver: false };
    const written = new Map<string, number>();
    const errors: unknown[] = [];
    const writers = others.map(async (id) => {
      const roleId = newId();
      await doors.tenants.run(id, (tx) =>
        tx.role.create({ data: { tenantId: id, id: roleId, name: 'Counter', nameKey: 'counter', description: '0' } }),
      );
      for (let count = 1; !writing.isOver; count += 1) {
        try {
          await doors.tenants.run(id, (tx) =>
            tx.role.update({
              where: { tenantId_id: { tenantId: id, id: roleId } },
              data: { description: String(count) },
            }),
          );
          written.set(id, count);
        } catch (error) {
          errors.push(error);
        }
        await sleep(PAUSE_MS);
      }
    });
    const { id, result } = await restore(tenant, at, 'in-place');
    const during = [...written.values()].reduce((sum, count) => sum + count, 0);
    writing.isOver = true;
    await Promise.all(writers);

    expect(errors).toEqual([]);
    expect(during).toBeGreaterThan(OTHERS);
    expect(await checksumsOf(tenant.id)).toEqual(before);
    expect(sumOf(result)).toBeGreaterThan(0);
    expect(await checksumsOfOthers()).toEqual(untouched);
    for (const other of others) {
      const { rows: found } = await admin.query<{ description: string }>(
        "SELECT description FROM app.roles WHERE tenant_id = $1 AND name = 'Counter'",
        [other],
      );
      expect(found).toEqual([{ description: String(written.get(other)) }]);
    }
    const record = await recordOf(id);
    expect(record).toMatchObject({ status: 'succeeded', mode: 'in-place', error_code: null });
    const expected = {
      actor_type: 'system',
      target_id: tenant.id,
      after: expect.objectContaining({ restoreId: id, mode: 'in-place', moment: at.toISOString() }) as object,
    };
    expect(await eventsOf(tenant.id, 'tenant.data_restored')).toEqual([expected]);
    expect((await eventsOf(PLATFORM_TENANT_ID, 'tenant.data_restored')).map(({ after }) => after.restoreId)).toContain(
      id,
    );
    expect(readdirSync(path.join(env.dataDir, 'tenant-restores'))).toEqual([]);
  }, 240_000);
});

describe('a dry run', () => {
  it('shows the difference, and changes nothing', async () => {
    const tenant = takeTenant();
    await ruin(tenant);
    const now = await checksumsOf(tenant.id);
    const { id, result } = await restore(tenant, at, 'dry-run');
    const differenceOf = (table: string) => result.difference.find((one) => one.table === table);
    expect(differenceOf('app.roles')).toMatchObject({ onlyThen: 0, onlyNow: 0, same: 0 });
    expect(differenceOf('app.roles')!.changed).toBeGreaterThan(0);
    expect(differenceOf('app.memberships')).toMatchObject({ onlyNow: 1, onlyThen: 0, changed: 0 });
    expect(differenceOf('app.role_permissions')).toMatchObject({ onlyNow: 0, onlyThen: 1, changed: 0 });
    expect(await checksumsOf(tenant.id)).toEqual(now);
    expect(await recordOf(id)).toMatchObject({ status: 'succeeded', mode: 'dry-run', rows_kept: false });
    expect(await keptRows(id)).toBe(0);
    expect(await eventsOf(tenant.id, 'tenant.data_restored')).toEqual([]);
  }, 240_000);
});

describe('a restore in place', () => {
  it('can be taken back, once, with all that it replaced', async () => {
    const tenant = takeTenant();
    await ruin(tenant);
    const ruined = await checksumsOf(tenant.id);
    const { id } = await restore(tenant, at, 'in-place');
    expect(await checksumsOf(tenant.id)).not.toEqual(ruined);
    await undo(id);
    expect(await checksumsOf(tenant.id)).toEqual(ruined);
    expect(await recordOf(id)).toMatchObject({ status: 'undone', rows_kept: false });
    expect(await eventsOf(tenant.id, 'tenant.restore_undone')).toHaveLength(1);
    await expect(undo(id)).rejects.toMatchObject({ code: 'restore_not_undoable' });
  }, 240_000);

  it('is not taken back over what was written since, unless that is said', async () => {
    const tenant = takeTenant();
    await ruin(tenant);
    const ruined = await checksumsOf(tenant.id);
    const { id } = await restore(tenant, at, 'in-place');
    await rows.insert('app.roles', tenant.id);
    const written = await checksumsOf(tenant.id);
    const refusal = await undo(id).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(WrittenSinceError);
    expect((refusal as Error).message).toContain('app.roles: 1 new, 0 changed, 0 removed');
    expect(await checksumsOf(tenant.id)).toEqual(written);
    await undo(id, true);
    expect(await checksumsOf(tenant.id)).toEqual(ruined);
  }, 240_000);

  it('expires, and what it had replaced goes with it', async () => {
    const tenant = takeTenant();
    await ruin(tenant);
    const { id } = await restore(tenant, at, 'in-place');
    expect(await keptRows(id)).toBeGreaterThan(0);
    await admin.query('UPDATE ops.tenant_restores SET undo_until = now() WHERE id = $1', [id]);
    await expect(undo(id)).rejects.toMatchObject({ code: 'restore_not_undoable' });
    const connections = await RestoreConnections.open(env);
    await connections.tidyUp();
    await connections.close();
    expect(await keptRows(id)).toBe(0);
  }, 240_000);

  it('asks before it changes anything; with no for an answer nothing is', async () => {
    const tenant = takeTenant();
    await ruin(tenant);
    const ruined = await checksumsOf(tenant.id);
    let asked: RestoreResult | undefined;
    const confirm = (result: RestoreResult): Promise<void> => {
      asked = result;
      return Promise.reject(new Error('no'));
    };
    await expect(restore(tenant, at, 'in-place', { confirm })).rejects.toThrow('no');
    expect(sumOf(asked!)).toBeGreaterThan(0);
    expect(await checksumsOf(tenant.id)).toEqual(ruined);
  }, 240_000);

  it('waits for those who write in the tenant, and they for it', async () => {
    const tenant = takeTenant();
    const before = await checksumsOf(tenant.id);
    await ruin(tenant);
    const holder = new pg.Client({ connectionString: server.urls.app });
    await holder.connect();
    const hold = async (): Promise<void> => {
      await holder.query(
        `BEGIN; SET LOCAL app.tenant_id = '${tenant.id}'; SET LOCAL idle_in_transaction_session_timeout = 0`,
      );
      await holder.query(
        "INSERT INTO app.roles (tenant_id, id, name, name_key) VALUES ($1, gen_random_uuid(), 'Late', 'late')",
        [tenant.id],
      );
    };
    const restored = restore(tenant, at, 'in-place', { confirm: hold });
    await eventually(async () => {
      const { rows: waiting } = await admin.query(
        "SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted AND a.usename = 'tenantry_backup'",
      );
      expect(waiting).not.toEqual([]);
    }, 120_000);
    await holder.query('COMMIT');
    await holder.end();
    await restored;
    expect(await checksumsOf(tenant.id)).toEqual(before);
  }, 240_000);
});

describe('a restore side by side', () => {
  it('makes a suspended tenant of the rows of then; the one that is there stays as it is', async () => {
    const tenant = takeTenant();
    const { rows: then } = await admin.query(
      'SELECT id, name, version FROM app.roles WHERE tenant_id = $1 ORDER BY id',
      [tenant.id],
    );
    await ruin(tenant);
    const now = await checksumsOf(tenant.id);
    const intoSlug = `${tenant.slug}-then`;
    const { id, result } = await restore(tenant, at, 'side-by-side', { intoSlug });
    expect(await checksumsOf(tenant.id)).toEqual(now);
    const { rows: made } = await admin.query('SELECT id, slug, status FROM app.tenants WHERE id = $1', [
      result.intoTenantId,
    ]);
    expect(made).toEqual([{ id: result.intoTenantId, slug: intoSlug, status: 'suspended' }]);
    const { rows: roles } = await admin.query(
      'SELECT id, name, version FROM app.roles WHERE tenant_id = $1 ORDER BY id',
      [result.intoTenantId],
    );
    expect(roles).toEqual(then);
    const { rows: permissions } = await admin.query<{ conditions: { id: string } }>(
      'SELECT conditions FROM app.role_permissions WHERE tenant_id = $1',
      [result.intoTenantId],
    );
    expect(permissions[0]!.conditions).toEqual({ id: result.intoTenantId });
    expect(await eventsOf(result.intoTenantId!, 'tenant.data_restored')).toHaveLength(1);
    expect(await keptRows(id)).toBe(0);

    await expect(restore(tenant, at, 'side-by-side', { intoSlug })).rejects.toMatchObject({ code: 'slug_taken' });
  }, 240_000);

  it('brings a purged tenant back, which in place cannot be', async () => {
    const tenant = takeTenant();
    await admin.query('DELETE FROM app.membership_roles WHERE tenant_id = $1', [tenant.id]);
    await admin.query('DELETE FROM app.tenants WHERE id = $1', [tenant.id]);
    await expect(restore(tenant, at, 'in-place')).rejects.toMatchObject({ code: 'tenant_gone' });
    const { result } = await restore(tenant, at, 'side-by-side', { intoSlug: tenant.slug });
    const { rows: made } = await admin.query('SELECT slug FROM app.tenants WHERE id = $1', [result.intoTenantId]);
    expect(made).toEqual([{ slug: tenant.slug }]);
  }, 240_000);
});

describe('the people whom the rows of then refer to', () => {
  /** Takes an account out, with its membership. */
  async function removeAccount(tenant: TestTenant, accountId: string): Promise<void> {
    await admin.query(
      'DELETE FROM app.membership_roles WHERE membership_id IN (SELECT id FROM app.memberships WHERE tenant_id = $1 AND user_id = $2)',
      [tenant.id, accountId],
    );
    await admin.query('DELETE FROM app.memberships WHERE user_id = $1', [accountId]);
    await admin.query('DELETE FROM identity.users WHERE id = $1', [accountId]);
  }

  async function personOf({ id, ownerId }: TestTenant): Promise<{ id: string; email: string }> {
    const { rows: found } = await admin.query<{ id: string; email: string }>(
      `SELECT u.id, u.email FROM identity.users u JOIN app.memberships m ON m.user_id = u.id
       WHERE m.tenant_id = $1 AND u.id <> $2 ORDER BY u.id LIMIT 1`,
      [id, ownerId],
    );
    return found[0]!;
  }

  it('come back disabled when their accounts are gone', async () => {
    const tenant = takeTenant();
    const person = await personOf(tenant);
    const before = await checksumsOf(tenant.id);
    await removeAccount(tenant, person.id);
    const { result } = await restore(tenant, at, 'in-place');
    expect(result.accounts).toEqual([person]);
    expect(result.findings).toMatchObject([{ code: 'account_missing', blocks: false }]);
    expect(await checksumsOf(tenant.id)).toEqual(before);
    const { rows: back } = await admin.query('SELECT status FROM identity.users WHERE id = $1', [person.id]);
    expect(back).toEqual([{ status: 'disabled' }]);
  }, 240_000);

  it('stay away when they were erased, with all that refers to them', async () => {
    const tenant = takeTenant();
    const person = await personOf(tenant);
    await removeAccount(tenant, person.id);
    await admin.query(
      "INSERT INTO ops.erasures (id, subject, subject_id, account_ids, erased_at, receipt) VALUES (gen_random_uuid(), 'account', $1, ARRAY[$1::uuid], now(), '')",
      [person.id],
    );
    const { result } = await restore(tenant, at, 'in-place');
    expect(result.findings).toMatchObject([{ code: 'account_erased', blocks: false }]);
    const { rows: memberships } = await admin.query('SELECT FROM app.memberships WHERE user_id = $1', [person.id]);
    expect(memberships).toEqual([]);
  }, 240_000);

  it('are named when another account has their address', async () => {
    const tenant = takeTenant();
    const person = await personOf(tenant);
    await removeAccount(tenant, person.id);
    await admin.query("INSERT INTO identity.users (id, email, name) VALUES (gen_random_uuid(), $1, 'Other')", [
      person.email,
    ]);
    const now = await checksumsOf(tenant.id);
    const { result } = await restore(tenant, at, 'dry-run');
    expect(result.findings).toMatchObject([{ code: 'email_taken', blocks: true }]);
    await expect(restore(tenant, at, 'in-place')).rejects.toMatchObject({ code: 'email_taken' });
    expect(await checksumsOf(tenant.id)).toEqual(now);
  }, 240_000);
});

describe('a schema', () => {
  it('of then is brought to that of today', async () => {
    // As before the migration that makes one index.
    const { rows: applied } = await admin.query<Record<string, unknown>>(
      "DELETE FROM public._prisma_migrations WHERE migration_name LIKE '%_index_account_status' RETURNING *",
    );
    await admin.query('DROP INDEX identity.users_status_created_at_id_idx');
    await NativeEngine.open(env).createBackup({ checkpoint: 'fast' });
    const older = await momentFromNow();
    await admin.query('CREATE INDEX users_status_created_at_id_idx ON identity.users (status, created_at, id)');
    const { sql, values } = insertOf('public._prisma_migrations', applied[0]!);
    await admin.query(sql, values);
    const tenant = takeTenant();
    const before = await checksumsOf(tenant.id);
    await ruin(tenant);
    await restore(tenant, older, 'in-place');
    expect(await checksumsOf(tenant.id)).toEqual(before);
  }, 240_000);

  it('that is another one all the same is refused', async () => {
    await admin.query('ALTER TABLE app.roles ADD COLUMN by_hand text');
    await expect(restore(takeTenant(), at, 'in-place')).rejects.toMatchObject({ code: 'schema_differs' });
    await admin.query('ALTER TABLE app.roles DROP COLUMN by_hand');
  }, 240_000);
});

describe('what ends otherwise', () => {
  it('a moment that is not covered, or before the tenant was made, says so and leaves nothing', async () => {
    const tenant = await newTenant();
    await expect(restore(tenant, at, 'in-place')).rejects.toMatchObject({ code: 'tenant_not_there' });
    await expect(restore(tenant, new Date('2020-01-01'), 'dry-run')).rejects.toThrow('cannot be restored to');
    const { rows: found } = await admin.query<{ error_code: string }>(
      "SELECT error_code FROM ops.tenant_restores WHERE tenant_id = $1 AND status = 'failed' ORDER BY created_at",
      [tenant.id],
    );
    expect(found.map((row) => row.error_code)).toEqual(['tenant_not_there', 'outside_coverage']);
    expect(readdirSync(path.join(env.dataDir, 'tenant-restores'))).toEqual([]);
  }, 240_000);

  it('one restore of a tenant keeps the next one out; one whose process is gone does not', async () => {
    const tenant = takeTenant();
    const request = {
      tenantId: tenant.id,
      tenantSlug: tenant.slug,
      at,
      mode: 'dry-run' as const,
      intoSlug: undefined,
      requester: SYSTEM,
    };
    const first = await RestoreConnections.open(env);
    const lost = await TenantRestoreJob.begin(first, request);
    const second = await RestoreConnections.open(env);
    await expect(TenantRestoreJob.begin(second, request)).rejects.toMatchObject({ code: 'tenant_restore_running' });
    await first.close(); // as a killed process does
    await second.close();
    await eventually(() => restore(tenant, at, 'dry-run'), 30_000);
    expect(await recordOf(lost.id)).toMatchObject({ status: 'failed', error_code: 'interrupted' });
  }, 240_000);

  it('ended by a signal it leaves no scratch, no rows and no change', async () => {
    const tenant = takeTenant();
    await ruin(tenant);
    const ruined = await checksumsOf(tenant.id);
    const controller = new AbortController();
    const onProgress: RunOptions['onProgress'] = (step) => step === 'rows' && controller.abort();
    await expect(restore(tenant, at, 'in-place', { signal: controller.signal, onProgress })).rejects.toThrow();
    expect(await checksumsOf(tenant.id)).toEqual(ruined);
    const { rows: found } = await admin.query<{ id: string }>(
      'SELECT id, error_code FROM ops.tenant_restores WHERE tenant_id = $1',
      [tenant.id],
    );
    expect(found).toMatchObject([{ error_code: 'interrupted' }]);
    expect(await keptRows(found[0]!.id)).toBe(0);
    expect(
      existsSync(path.join(env.dataDir, 'tenant-restores'))
        ? readdirSync(path.join(env.dataDir, 'tenant-restores'))
        : [],
    ).toEqual([]);
  }, 240_000);
});
