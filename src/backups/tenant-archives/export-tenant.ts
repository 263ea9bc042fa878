import type { KeyObject } from 'node:crypto';
import type { TenantReader } from '../../database/tenant-reader';
import { selectLines } from '../../database/tenant-lines';
import { NotFoundError } from '../../common/errors';
import { ACCOUNT_COLUMNS, ACCOUNTS, type ArchiveManifest, FORMAT, VERSION } from './archive-format';
import { ArchiveWriter } from './archive-writer';

export interface ExportOptions {
  /** A snapshot in which the tenant can be seen. */
  reader: TenantReader;
  tenantId: string;
  file: string;
  key: { kid: string; privateKey: KeyObject };
  issuer: string;
  /** The moment that the rows are of; undefined: now. */
  asOf?: Date | undefined;
}

interface TenantRow {
  id: string;
  slug: string;
  name: string;
  now: Date;
}

/**
 * Writes all that a tenant owns into a signed archive, in one snapshot and bounded memory; with the people that its memberships
 * refer to (id, e-mail address and name), without passwords, sessions or anything else from above tenants.
 * @throws NotFoundError; StartupError when there is a file of this name
 */
export async function exportTenant(options: ExportOptions): Promise<ArchiveManifest> {
  const { reader, tenantId, file, key, issuer } = options;
  const [tenant] = await reader.query<TenantRow>('SELECT id, slug, name, now() AS now FROM app.tenants WHERE id = $1', [
    tenantId,
  ]);
  if (!tenant) throw new NotFoundError('tenant');
  const migrations = await reader.query<{ name: string }>(
    `SELECT migration_name AS name FROM public._prisma_migrations
     WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL ORDER BY 1`,
    [],
  );
  const tables = await reader.tables();
  const writer = ArchiveWriter.create(file);
  try {
    const people = ACCOUNT_COLUMNS.map((name) => ({ name, type: name === 'id' ? 'uuid' : 'text' }));
    const memberships = `SELECT json_build_object('id', user_id, 'email', email, 'name', name)::text AS line
                         FROM app.memberships WHERE tenant_id = $1 ORDER BY user_id`;
    await writer.table(ACCOUNTS, people, linesOf(reader, memberships, tenantId));
    for (const table of tables)
      await writer.table(table.name, table.columns, linesOf(reader, selectLines(table), tenantId));
    const { now, ...identity } = tenant;
    return await writer.finish(
      {
        format: FORMAT,
        version: VERSION,
        issuer,
        exportedAt: new Date().toISOString(),
        asOf: (options.asOf ?? now).toISOString(),
        tenant: identity,
        migrations: migrations.map(({ name }) => name),
      },
      key,
    );
  } catch (error) {
    await writer.discard();
    throw error;
  }
}

async function* linesOf(reader: TenantReader, sql: string, tenantId: string): AsyncGenerator<string[]> {
  for await (const rows of reader.batches<{ line: string }>(sql, [tenantId])) yield rows.map(({ line }) => line);
}
