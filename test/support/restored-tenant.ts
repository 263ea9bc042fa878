import { newId } from '../../src/common/id';
import { keyExpression, replacedTables, rowExpression } from '../../src/database/tenant-rows';
import { readTenantTables } from '../../src/database/tenant-tables';
import { TenantWriter } from '../../src/database/tenant-writer';
import type { TestDatabase } from './postgres';

/** A restore in place of a tenant as it would be on record, that has brought and replaced what the tenant has now. @returns its id */
export async function recordRestore(database: TestDatabase, tenantId: string): Promise<string> {
  const writer = await TenantWriter.connect(database.urls.backup, 'POSTGRES_BACKUP_URL');
  try {
    const id = newId();
    const tables = replacedTables(await readTenantTables(writer.query));
    await writer.run(tenantId, async ({ query }) => {
      await query(
        `INSERT INTO ops.tenant_restores (id, tenant_id, tenant_slug, moment, mode, status, instance, finished_at, undo_until)
         VALUES ($1, $2, 'restored', now(), 'in-place', 'succeeded', 'test', now(), now() + interval '1 day')`,
        [id, tenantId],
      );
      for (const table of tables)
        await query(
          `INSERT INTO ops.tenant_restore_rows (restore_id, kind, table_name, row_key, tenant_id, row)
           SELECT $1, kind, $2, ${keyExpression(table, 't')}, $3, ${rowExpression(table, 't')}
           FROM ${table.sqlName} t, unnest(ARRAY['wanted', 'replaced']) AS kind WHERE t.tenant_id = $3`,
          [id, table.name, tenantId],
        );
    });
    return id;
  } finally {
    await writer.end();
  }
}
