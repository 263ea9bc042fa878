import { randomBytes } from 'node:crypto';
import { newId } from '../../src/common/id';
import { type Catalogue, type Column, type Query, tableOf, type Table, tenantColumnOf } from './catalogue';
import type { Row } from './postgres';
import { TENANT_TABLES, TENANTS } from './tenant-tables';

let count = 0;

/** A value of each type that a column must have; random text is fit for a slug, a name and a key alike. */
const SAMPLES: Record<string, () => unknown> = {
  uuid: newId,
  text: () => `x${randomBytes(6).toString('hex')}`,
  varchar: () => `x${randomBytes(6).toString('hex')}`,
  int2: () => ++count,
  int4: () => ++count,
  int8: () => ++count,
  bool: () => false,
  timestamptz: () => new Date(),
  jsonb: () => '{}',
  bytea: () => randomBytes(16),
  _text: () => [],
};

/** Values of columns whose CHECK no random value meets, by `schema.table.column`. */
const SPECIAL_SAMPLES: Record<string, () => unknown> = {
  'identity.credentials.password_hash': () => '$argon2id$not-a-real-one',
};

/**
 * Makes valid rows of any table from what the catalogue says of it, so that a new table is tested the day it is made.
 * @param query of a login that row-level security does not bind
 */
export class Rows {
  constructor(
    private readonly catalogue: Catalogue,
    private readonly query: Query,
  ) {}

  /** The values of a new row that belongs to the tenant. The rows that it refers to are made; it is not. */
  async build(name: string, tenantId: string): Promise<Row> {
    const table = tableOf(this.catalogue, name);
    const isTenants = TENANT_TABLES.includes(name);
    const row: Row = isTenants ? { [tenantColumnOf(table)]: tenantId } : {};
    for (const key of table.foreignKeys) {
      if (key.target === TENANTS || key.columns.every((column) => columnOf(table, column).isNullable)) continue;
      const parent = await this.insert(key.target, tenantId);
      key.columns.forEach((column, place) => (row[column] = parent[key.targetColumns[place]!]));
    }
    for (const column of table.columns) {
      if (column.name in row || column.isNullable || column.hasDefault) continue;
      row[column.name] = sampleOf(table, column);
    }
    return row;
  }

  /** Makes such a row, stores it, and gives it as it was stored. */
  async insert(name: string, tenantId: string): Promise<Row> {
    const { sql, values } = insertOf(name, await this.build(name, tenantId));
    try {
      const [row] = await this.query<Row>(`${sql} RETURNING *`, values);
      return row!;
    } catch (error) {
      throw new Error(
        `A generated row of ${name} is refused (${(error as Error).message}): teach test/support/rows.ts`,
        {
          cause: error,
        },
      );
    }
  }

  /** A tenant with a row in each table. */
  async fillTenant(tenantId: string, tables: readonly string[] = TENANT_TABLES): Promise<Map<string, Row>> {
    const rows = new Map([[TENANTS, await this.insert(TENANTS, tenantId)]]);
    for (const name of tables) {
      if (name !== TENANTS) rows.set(name, await this.insert(name, tenantId));
    }
    return rows;
  }
}

/** The INSERT of a row. */
export function insertOf(name: string, row: Row): { sql: string; values: unknown[] } {
  const columns = Object.keys(row);
  const places = columns.map((_, place) => `$${place + 1}`);
  return {
    sql: `INSERT INTO ${name} (${columns.map((column) => `"${column}"`).join(', ')}) VALUES (${places.join(', ')})`,
    values: Object.values(row),
  };
}

function columnOf(table: Table, name: string): Column {
  return table.columns.find((column) => column.name === name)!;
}

function sampleOf(table: Table, column: Column): unknown {
  const [choice] = column.choices;
  if (choice !== undefined) return choice;
  const sample = SPECIAL_SAMPLES[`${table.name}.${column.name}`] ?? SAMPLES[column.type];
  if (!sample)
    throw new Error(`No sample of ${table.name}.${column.name} (${column.type}): teach test/support/rows.ts`);
  return sample();
}
