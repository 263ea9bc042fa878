import pg from 'pg';
import { connectTo } from './server-connection';
import { keyExpression, rowExpression } from './tenant-rows';
import { type CatalogueQuery, readTenantTables, type TenantTable } from './tenant-tables';
import { SAME_TEXT_EVERYWHERE } from './tenant-writer';

/** So many rows at a time are in our memory. */
const BATCH_ROWS = 500;

/** A row of a tenant, as text. */
export interface KeptRow {
  key: string;
  /** A JSON object of texts. */
  row: string;
}

/** Reads a tenant in one snapshot: out of a cluster that is ours alone, as its superuser, or out of the one that serves. */
export class TenantReader {
  private constructor(private readonly client: pg.Client) {}

  /**
   * In a cluster that is ours alone, as its superuser, whom row-level security does not bind; or in a server that a provider has
   * restored, as an administrator whom it binds.
   * @throws StartupError when the server cannot be reached
   */
  static async connect(url: string, tenantId: string): Promise<TenantReader> {
    return TenantReader.begin(await connectTo(url), tenantId);
  }

  /**
   * In the database that serves, under the backup login: row-level security shows it this tenant and no other.
   * @throws StartupError when the server cannot be reached
   */
  static async connectAs(url: string, variable: string, tenantId: string): Promise<TenantReader> {
    return TenantReader.begin(await connectTo(url, undefined, variable), tenantId);
  }

  private static async begin(client: pg.Client, tenantId: string): Promise<TenantReader> {
    try {
      await client.query(SAME_TEXT_EVERYWHERE);
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      await client.query("SELECT set_config('app.tenant_id', $1, true)", [tenantId]);
      return new TenantReader(client);
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
  }

  readonly query: CatalogueQuery = async (sql, parameters) => (await this.client.query(sql, parameters)).rows as never;

  tables(): Promise<TenantTable[]> {
    return readTenantTables(this.query);
  }

  /** The tenant's rows of a table, batch by batch. */
  rows(table: TenantTable, tenantId: string): AsyncGenerator<KeptRow[]> {
    return this.batches<KeptRow>(
      `SELECT ${keyExpression(table, 't')} AS key, ${rowExpression(table, 't')}::text AS row
       FROM ${table.sqlName} t WHERE t.${pg.escapeIdentifier(table.tenantColumn)} = $1`,
      [tenantId],
    );
  }

  /** What a query gives, batch by batch: there may be more of it than fits into memory. */
  async *batches<Row extends object>(sql: string, parameters: unknown[]): AsyncGenerator<Row[]> {
    await this.client.query(`DECLARE batches NO SCROLL CURSOR FOR ${sql}`, parameters);
    for (;;) {
      const { rows } = await this.client.query<Row>(`FETCH ${BATCH_ROWS} FROM batches`);
      if (rows.length === 0) break;
      yield rows;
    }
    await this.client.query('CLOSE batches');
  }

  async end(): Promise<void> {
    await this.client.end().catch(() => undefined);
  }
}
