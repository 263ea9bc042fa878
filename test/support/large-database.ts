import { newId } from '../../src/common/id';
import { newAccount } from './account';
import type { ApiClient } from './api-client';
import type { TestApp } from './app';
import type { TestDatabase } from './postgres';
import { newTenantWithOwner, type TestTenant, type UserClient } from './tenant';

export const USERS = 200_000;
export const TENANTS = 100_000;
/** One person is in so many of them. */
const TENANTS_OF_ONE = 2_000;
const ROLES = 2_000;
const RECORDS = 50_000;
/** What is rare is in the middle of every order, so that walking there from either end takes long. */
const MIDDLE = 100_000;
/** So many that the sample of ANALYZE cannot miss them. */
const RARE = 200;

/** A database as large as one gets. */
export interface LargeDatabase {
  /** With USERS users. */
  tenant: TestTenant;
  owner: UserClient;
  /** Somebody in TENANTS_OF_ONE tenants. */
  busyPerson: ApiClient;
  roleIds: { ofNobody: string; ofFew: string; ofAll: string; expiredForMost: string };
  /** Of the large tenant. */
  userId: string;
  roleId: string;
  accountId: string;
  restoreId: string;
  /** Of any tenant of the many. */
  tenantId: string;
}

/** Unsigned; the list only shows it. */
const RECEIPT = `x.${Buffer.from(
  JSON.stringify({
    format: 1,
    id: newId(),
    issuer: 'tenantry',
    subject: 'account',
    subjectId: newId(),
    accountIds: [],
    erasedAt: '2026-11-23T10:15:00.000Z',
    erasedBy: null,
    rows: {},
    backupsHoldUntil: null,
  }),
).toString('base64url')}.x`;

/** The id of the `n`th row of a kind, as SQL and as it is. */
const idOf = (kind: number, n: string): string =>
  `('0000000${kind}-0000-7000-8000-' || lpad(to_hex(${n}), 12, '0'))::uuid`;
const idAs = (kind: number, n: number): string => `0000000${kind}-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;
const [TENANT, PERSON, USER, OTHER_USER, ROLE, RECORD] = [1, 2, 3, 4, 5, 6];

/** Fills the database of `app` by SQL, below the API and without its foreign keys, and has it analyzed. */
export async function fillLarge(app: TestApp): Promise<LargeDatabase> {
  const { tenant, owner } = await newTenantWithOwner(app);
  const account = await newAccount(app);
  await withoutIndexes(app.database, [
    `INSERT INTO identity.users (id, email, name, status, created_at)
     SELECT ${idOf(PERSON, 'n')}, lpad(n::text, 6, '0') || '@large.example', 'Person ' || n,
       CASE WHEN n BETWEEN ${MIDDLE} AND ${MIDDLE + RARE} THEN 'disabled' ELSE 'active' END, now() - n * interval '1 minute'
     FROM generate_series(1, ${USERS}) n`,
    `INSERT INTO identity.sessions (id, user_id, address, user_agent, created_at, expires_at, ended_at, end_reason)
     SELECT ${idOf(PERSON, 'n')}, CASE WHEN n <= 200 THEN '${account.id}' ELSE ${idOf(PERSON, 'n')} END, '198.51.100.7', 'Test',
       now() - n * interval '1 minute', now() + interval '1 day', CASE WHEN n % 4 > 0 THEN now() END, CASE WHEN n % 4 > 0 THEN 'signed_out' END
     FROM generate_series(1, ${RECORDS}) n`,
    `INSERT INTO app.tenants (id, slug, name, name_key, status, created_at, deleted_at, purge_after)
     SELECT ${idOf(TENANT, 'n')}, 'many-' || lpad(n::text, 6, '0'), 'Many ' || n, 'many ' || lpad(n::text, 6, '0'),
       CASE WHEN n BETWEEN ${TENANTS / 2} AND ${TENANTS / 2 + RARE} THEN 'suspended' ELSE 'active' END, now() - n * interval '1 minute',
       CASE WHEN n % 200 = 0 THEN now() END, CASE WHEN n % 200 = 0 THEN now() + interval '30 days' END
     FROM generate_series(1, ${TENANTS}) n`,
    `INSERT INTO app.memberships (tenant_id, id, user_id, email, name, name_key, status, created_at)
     SELECT '${tenant.id}'::uuid, ${idOf(USER, 'n')}, ${idOf(PERSON, 'n')}, lpad(n::text, 6, '0') || '@large.example', 'User ' || n,
       'user ' || lpad(n::text, 6, '0'), CASE WHEN n BETWEEN ${MIDDLE} AND ${MIDDLE + RARE} THEN 'suspended' ELSE 'active' END,
       now() - n * interval '1 minute'
     FROM generate_series(1, ${USERS}) n
     UNION ALL
     SELECT ${idOf(TENANT, 'n')}, ${idOf(OTHER_USER, 'n')}, ${idOf(PERSON, 'n')}, lpad(n::text, 6, '0') || '@large.example', 'User ' || n,
       'user ' || lpad(n::text, 6, '0'), 'active', now() - n * interval '1 minute'
     FROM generate_series(1, ${TENANTS}) n
     UNION ALL
     SELECT ${idOf(TENANT, 'n')}, ${idOf(OTHER_USER, `n + ${TENANTS}`)}, '${account.id}', '${account.email}', 'Busy', 'busy', 'active', now()
     FROM generate_series(1, ${TENANTS_OF_ONE}) n`,
    `INSERT INTO app.roles (tenant_id, id, name, name_key, created_at)
     SELECT '${tenant.id}'::uuid, ${idOf(ROLE, 'n')}, 'Task ' || n, 'task ' || lpad(n::text, 6, '0'), now() - n * interval '1 minute'
     FROM generate_series(1, ${ROLES}) n
     UNION ALL
     SELECT ${idOf(TENANT, 'n')}, ${idOf(ROLE, 'n')}, 'Task ' || n, 'task ' || n, now() FROM generate_series(1, ${TENANTS}) n`,
    `INSERT INTO app.role_permissions (tenant_id, id, role_id, position, subject, action, fields)
     SELECT r.tenant_id, r.id, r.id, 0, 'Role', 'read', '{}' FROM app.roles r WHERE r.system_key IS NULL`,
    `INSERT INTO app.membership_roles (tenant_id, membership_id, role_id, expires_at)
     SELECT '${tenant.id}'::uuid, ${idOf(USER, 'n')}, '${tenant.roles.member}'::uuid, NULL::timestamptz FROM generate_series(1, ${USERS}) n
     UNION ALL
     SELECT '${tenant.id}'::uuid, ${idOf(USER, 'n')}, '${idAs(ROLE, 3)}'::uuid, now() + CASE WHEN n % ${MIDDLE / 5} = 0 THEN 1 ELSE -1 END * interval '1 day'
     FROM generate_series(1, ${USERS}) n
     UNION ALL
     SELECT '${tenant.id}'::uuid, ${idOf(USER, `${MIDDLE} + n`)}, '${idAs(ROLE, 2)}'::uuid, NULL FROM generate_series(1, 5) n
     UNION ALL
     SELECT ${idOf(TENANT, 'n')}, ${idOf(OTHER_USER, 'n')}, ${idOf(ROLE, 'n')}, NULL FROM generate_series(1, ${TENANTS}) n`,
    ...[
      [tenant.id, 'user.updated', 'tenant.updated', USERS],
      ['00000000-0000-0000-0000-000000000000', 'session.started', 'account.updated', RECORDS],
    ].map(
      ([tenantId, usual, rare, count]) =>
        `INSERT INTO audit.events (tenant_id, id, occurred_at, action, result, actor_type, actor_user_id, actor_account_id, target_type, target_id)
         SELECT '${tenantId}', ${idOf(RECORD, 'n')}, now() - n * interval '1 minute',
           CASE WHEN is_rare THEN '${rare}' ELSE '${usual}' END, CASE WHEN is_rare THEN 'denied' ELSE 'success' END, 'user',
           ${idOf(USER, '(n / 50)')}, NULL, CASE WHEN is_rare THEN 'Tenant' ELSE 'User' END, ${idOf(USER, '(n / 50)')}
         FROM generate_series(1, ${count}) n, LATERAL (SELECT n BETWEEN ${Number(count) / 2} AND ${Number(count) / 2 + RARE} AS is_rare) r`,
    ),
    `INSERT INTO ops.erasures (id, subject, subject_id, account_ids, erased_at, receipt)
     SELECT ${idOf(RECORD, 'n')}, CASE WHEN n BETWEEN ${RECORDS / 2} AND ${RECORDS / 2 + RARE} THEN 'tenant' ELSE 'account' END,
       ${idOf(PERSON, 'n')}, '{}', now() - n * interval '1 minute', '${RECEIPT}'
     FROM generate_series(1, ${RECORDS}) n`,
    `INSERT INTO ops.tenant_restores (id, tenant_id, tenant_slug, moment, mode, status, error_code, instance, created_at, finished_at)
     SELECT ${idOf(RECORD, 'n')}, ${idOf(TENANT, 'n')}, 'many', now(), 'dry-run',
       CASE WHEN is_rare THEN 'failed' ELSE 'succeeded' END, CASE WHEN is_rare THEN 'x' END, 'test', now() - n * interval '1 minute', now()
     FROM generate_series(1, ${RECORDS}) n, LATERAL (SELECT n BETWEEN ${RECORDS / 2} AND ${RECORDS / 2 + RARE} AS is_rare) r`,
  ]);
  await app.database.query('admin', 'VACUUM (ANALYZE)');
  return {
    tenant,
    owner,
    busyPerson: await app.signIn(account),
    roleIds: {
      ofNobody: idAs(ROLE, 1),
      ofFew: idAs(ROLE, 2),
      ofAll: tenant.roles.member,
      expiredForMost: idAs(ROLE, 3),
    },
    userId: idAs(USER, MIDDLE + 1_000),
    roleId: idAs(ROLE, 1),
    accountId: idAs(PERSON, MIDDLE),
    restoreId: idAs(RECORD, MIDDLE / 2),
    tenantId: idAs(TENANT, TENANTS / 2),
  };
}

/** Runs the statements while the tables have no indexes but their keys: those are made faster at the end. */
async function withoutIndexes(database: TestDatabase, statements: readonly string[]): Promise<void> {
  const client = await database.connect('admin');
  try {
    await client.query("SET session_replication_role = replica; SET maintenance_work_mem = '128MB'");
    const { rows } = await client.query<{ name: string; definition: string }>(`
      SELECT format('%I.%I', schemaname, indexname) AS name, indexdef AS definition FROM pg_indexes
      WHERE schemaname IN ('app', 'audit', 'identity', 'ops') AND indexname NOT LIKE '%_pkey'`);
    for (const { name } of rows) await client.query(`DROP INDEX ${name}`);
    for (const statement of statements) await client.query(statement);
    for (const { definition } of rows) await client.query(definition);
  } finally {
    await client.end();
  }
}
