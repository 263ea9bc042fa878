import { escapeName } from '../../database/tenant-rows';
import type { TenantReader } from '../../database/tenant-reader';
import type { TableReference, TenantTable } from '../../database/tenant-tables';
import type { TenantWriter } from '../../database/tenant-writer';
import type { RestoreFinding } from './tenant-restore';

/** A person whom rows of then refer to. */
export interface AccountOfThen {
  id: string;
  email: string;
  name: string;
}

export interface GlobalRows {
  findings: RestoreFinding[];
  /** To be brought back. */
  missing: AccountOfThen[];
  /** Ids of people who were erased for good: rows that refer to them stay away. */
  erased: string[];
}

export const ACCOUNTS = 'identity.users';
const MAX_NAMED = 20;

/** Looks whether what stands above tenants still has what the tenant's rows of then refer to. */
export async function findGlobalRows(
  reader: TenantReader,
  writer: TenantWriter,
  tables: readonly TenantTable[],
  tenantId: string,
): Promise<GlobalRows> {
  const found: GlobalRows = { findings: [], missing: [], erased: [] };
  for (const table of tables)
    for (const reference of table.globalReferences) {
      if (reference.target === ACCOUNTS) await findAccounts(reader, writer, table, reference, tenantId, found);
      else await findOthers(reader, writer, table, reference, tenantId, found);
    }
  return found;
}

async function findAccounts(
  reader: TenantReader,
  writer: TenantWriter,
  table: TenantTable,
  { columns }: TableReference,
  tenantId: string,
  found: GlobalRows,
): Promise<void> {
  const accounts = reader.batches<AccountOfThen>(
    `SELECT u.id::text AS id, u.email, u.name FROM identity.users u
     WHERE u.id IN (SELECT t.${escapeName(columns[0]!)} FROM ${table.sqlName} t WHERE t.${escapeName(table.tenantColumn)} = $1)`,
    [tenantId],
  );
  for await (const batch of accounts) {
    const absent = await writer.query<{ id: string; problem: 'missing' | 'email_taken' | 'erased' }>(
      'SELECT account_id::text AS id, problem FROM ops.absent_accounts($1, $2)',
      [batch.map(({ id }) => id), batch.map(({ email }) => email)],
    );
    for (const { id, problem } of absent) {
      const account = batch.find((one) => one.id === id)!;
      if (problem === 'missing') found.missing.push(account);
      if (problem === 'erased') found.erased.push(id);
      found.findings.push(ABSENT[problem](account));
    }
  }
}

const ABSENT: Record<'missing' | 'email_taken' | 'erased', (account: AccountOfThen) => RestoreFinding> = {
  missing: ({ id, email }) => ({
    code: 'account_missing',
    blocks: false,
    message: `The account ${email} (${id}) is gone; it is brought back, disabled and without a password.`,
  }),
  email_taken: ({ id, email }) => ({
    code: 'email_taken',
    blocks: true,
    message: `The account ${email} (${id}) is gone, and another account has its address. Restore side by side after giving that one another address, or erase the one of then.`,
  }),
  erased: ({ id }) => ({
    code: 'account_erased',
    blocks: false,
    message: `The person of the account ${id} was erased; rows that refer to it stay away.`,
  }),
};

/** Any other global table is read as it is by everybody (app.permissions). */
async function findOthers(
  reader: TenantReader,
  writer: TenantWriter,
  table: TenantTable,
  { columns, target, targetColumns }: TableReference,
  tenantId: string,
  found: GlobalRows,
): Promise<void> {
  const key = (names: readonly string[], alias: string): string =>
    `jsonb_build_array(${names.map((name) => `${alias}.${escapeName(name)}::text`).join(', ')})::text`;
  const present = columns.map((column) => `t.${escapeName(column)} IS NOT NULL`).join(' AND ');
  const wanted = reader.batches<{ key: string }>(
    `SELECT DISTINCT ${key(columns, 't')} AS key FROM ${table.sqlName} t WHERE t.${escapeName(table.tenantColumn)} = $1 AND ${present}`,
    [tenantId],
  );
  const targetName = target.split('.').map(escapeName).join('.');
  for await (const batch of wanted) {
    const absent = await writer.query<{ key: string }>(
      `SELECT wanted.key FROM unnest($1::text[]) AS wanted(key)
       WHERE NOT EXISTS (SELECT FROM ${targetName} p WHERE ${key(targetColumns, 'p')} = wanted.key)`,
      [batch.map((row) => row.key)],
    );
    for (const row of absent.slice(0, MAX_NAMED))
      found.findings.push({
        code: 'permission_unknown',
        blocks: true,
        message: `${table.name} refers to ${row.key} of ${target}, which is gone.`,
      });
  }
}
