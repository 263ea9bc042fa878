import { escapeName } from '../../database/tenant-rows';
import {
  readTenantTables,
  type TableColumn,
  type TableReference,
  type TenantTable,
} from '../../database/tenant-tables';
import type { TenantWriter } from '../../database/tenant-writer';
import { newId } from '../../common/id';
import { ACCOUNTS, type ArchivedTable, type ArchiveManifest, ArchiveRefusedError } from './archive-format';
import { readRows } from './read-rows';

/** Of another instance's account; here it has another id. */
export interface ArchivedPerson {
  id: string;
  email: string;
  name: string;
}

export interface ImportRequest {
  file: string;
  manifest: ArchiveManifest;
  /** Of manifest.json, in hex. */
  sha256: string;
  /** Undefined: that of the archive. */
  slug?: string | undefined;
  /** Gives the tenant an id of its own, so that it can stand beside the one it was exported from. */
  newId?: boolean | undefined;
}

/** What an import will do, and what is in its way. */
export interface ImportPlan {
  request: ImportRequest;
  tenantId: string;
  slug: string;
  /** Of this database, in the order of their foreign keys. */
  tables: readonly TenantTable[];
  people: readonly ArchivedPerson[];
  /** How many people have an account here already, by their e-mail address. */
  matched: number;
  /** Ids, in the archive, of people who were erased here: rows that refer to them stay away. */
  erased: readonly string[];
  /** Empty: it can be imported. */
  conflicts: readonly string[];
}

/** The archive is sound; something here is in its way. */
export class ImportConflictError extends Error {
  constructor(readonly conflicts: readonly string[]) {
    super(`It cannot be imported; nothing was changed:\n${conflicts.map((line) => `  - ${line}`).join('\n')}`);
    this.name = 'ImportConflictError';
  }
}

/**
 * Reads the whole archive, checks each row of it, and looks for what is in its way here. Changes nothing.
 * @throws ArchiveRefusedError
 */
export async function planImport(writer: TenantWriter, request: ImportRequest): Promise<ImportPlan> {
  const { file, manifest } = request;
  const tables = await readTenantTables(writer.query);
  const conflicts = await schemaConflicts(writer, manifest, tables);
  if (conflicts.length > 0) throw new ImportConflictError(conflicts); // the rows could not be understood

  const people: ArchivedPerson[] = [];
  const needs = new Map<TableReference, Set<string>>();
  await readRows(file, manifest, (archived, rows) => {
    if (archived.name === ACCOUNTS) {
      for (const { values } of rows) people.push(personOf(values));
      return Promise.resolve();
    }
    for (const reference of tableOf(tables, archived).globalReferences) {
      const needed = needs.get(reference) ?? new Set();
      needs.set(reference, needed);
      for (const { values } of rows) {
        const key = reference.columns.map((column) => values[column]);
        if (!key.includes(null)) needed.add(JSON.stringify(key));
      }
    }
    return Promise.resolve();
  });

  const known = new Set(people.map(({ id }) => id));
  for (const [reference, needed] of needs) {
    if (reference.target === ACCOUNTS) {
      const unknown = [...needed].find((key) => !known.has((JSON.parse(key) as string[])[0]!));
      if (unknown !== undefined) throw new ArchiveRefusedError(`a row refers to a person who is not in it.`);
    } else conflicts.push(...(await absentRows(writer, reference, [...needed])));
  }
  const tenantId = request.newId ? newId() : manifest.tenant.id;
  const slug = request.slug ?? manifest.tenant.slug;
  conflicts.push(...(await tenantConflicts(writer, tenantId, slug)));
  const absent = await writer.query<{ id: string; problem: string }>(
    'SELECT account_id::text AS id, problem FROM ops.absent_accounts($1, $2)',
    [people.map(({ id }) => id), people.map(({ email }) => email)],
  );
  const idsOf = (problem: string): string[] => absent.filter((one) => one.problem === problem).map(({ id }) => id);
  const erased = idsOf('erased');
  const matched = people.length - erased.length - idsOf('missing').length;
  return { request, tenantId, slug, tables, people, matched, erased, conflicts };
}

/** Those of this database's columns that the archive has. */
export function columnsOf(table: TenantTable, archived: ArchivedTable): TableColumn[] {
  return table.columns.filter(({ name }) => archived.columns.some((column) => column.name === name));
}

/** @throws Error when it is none of this database's: the schema was compared before */
export function tableOf(tables: readonly TenantTable[], { name }: ArchivedTable): TenantTable {
  const table = tables.find((one) => one.name === name);
  if (!table) throw new Error(`There is no table ${name}.`);
  return table;
}

async function schemaConflicts(
  writer: TenantWriter,
  manifest: ArchiveManifest,
  tables: readonly TenantTable[],
): Promise<string[]> {
  const applied = await writer.query<{ name: string }>(
    'SELECT migration_name AS name FROM public._prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL',
  );
  const ours = new Set(applied.map(({ name }) => name));
  const newer = manifest.migrations.filter((name) => !ours.has(name));
  if (newer.length > 0)
    return [
      `It comes from a newer Tenantry: this database lacks ${newer.join(', ')}. Upgrade this one, apply its migrations, and import again.`,
    ];
  const needed = await writer.query<{ table: string; column: string }>(
    `SELECT n.nspname || '.' || c.relname AS table, a.attname AS column
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname || '.' || c.relname = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped
       AND a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''`,
    [tables.map(({ name }) => name)],
  );
  return manifest.tables.flatMap((archived) => {
    if (archived.name === ACCOUNTS) return [];
    const table = tables.find(({ name }) => name === archived.name);
    if (!table) return [`There is no table ${archived.name} here any more.`];
    const has = (name: string): boolean => archived.columns.some((column) => column.name === name);
    return [
      ...archived.columns
        .filter(({ name, type }) => !table.columns.some((column) => column.name === name && column.type === type))
        .map(({ name, type }) => `There is no column ${archived.name}.${name} of type ${type} here.`),
      ...needed
        .filter((one) => one.table === archived.name && !has(one.column))
        .map(({ column }) => `It has no ${archived.name}.${column}, which must have a value here.`),
    ];
  });
}

async function tenantConflicts(writer: TenantWriter, tenantId: string, slug: string): Promise<string[]> {
  const [found] = await writer.query<{ owner: string | null; erased: boolean }>(
    'SELECT ops.tenant_of_slug($1)::text AS owner, ops.is_tenant_erased($2) AS erased',
    [slug, tenantId],
  );
  const [there] = await writer.run(tenantId, (tx) =>
    tx.query('SELECT 1 AS found FROM app.tenants WHERE id = $1', [tenantId]),
  );
  return [
    ...(found?.owner ? [`Another tenant has the slug ${slug}: choose one with --slug.`] : []),
    ...(there ? [`There is a tenant of the id ${tenantId} already: --new-id gives the imported one another.`] : []),
    ...(found?.erased ? [`The tenant ${tenantId} was erased here for good; --new-id imports it as another one.`] : []),
  ];
}

/** Of a table that everybody may read (app.permissions): the rows that the archive's refer to and that are not here. */
async function absentRows(
  { query }: TenantWriter,
  { target, targetColumns }: TableReference,
  keys: readonly string[],
): Promise<string[]> {
  const list = `jsonb_build_array(${targetColumns.map((column) => `t.${escapeName(column)}`).join(', ')})`;
  const sqlName = target.split('.').map(escapeName).join('.');
  const absent = await query<{ key: string }>(
    `SELECT key FROM unnest($1::text[]) AS key
     WHERE NOT EXISTS (SELECT FROM ${sqlName} t WHERE ${list} = key::jsonb)`,
    [keys],
  );
  return absent.map(({ key }) => `${target} has no ${key}, to which rows refer.`);
}

function personOf({ id, email, name }: Readonly<Record<string, unknown>>): ArchivedPerson {
  if (typeof id !== 'string' || typeof email !== 'string' || typeof name !== 'string')
    throw new ArchiveRefusedError('one of its people has no id, e-mail address or name.');
  return { id, email, name };
}
