import { createHash } from 'node:crypto';
import { TENANTS } from '../../database/tenant-tables';
import { readEntries } from './archive-entries';
import {
  ACCOUNTS,
  type ArchivedTable,
  type ArchiveManifest,
  type ArchivePart,
  ArchiveRefusedError,
  MAX_LINE_BYTES,
  tableOfPart,
} from './archive-format';

/** A row of an archive: as it stands there, and as JavaScript reads it (large numbers are not exact there). */
export interface ArchivedRow {
  line: string;
  values: Readonly<Record<string, unknown>>;
}

/**
 * Gives the rows of an archive, a part at a time, each checked: its place, its checksum, the form of each row, whose it is.
 * @throws ArchiveRefusedError naming the first part that is not what the manifest says; whatever `visit` throws
 */
export async function readRows(
  file: string,
  manifest: ArchiveManifest,
  visit: (table: ArchivedTable, rows: ArchivedRow[]) => Promise<void>,
): Promise<void> {
  const expected = manifest.tables.flatMap((table) => table.parts.map((part) => ({ table, part })));
  let place = 0;
  const isPart = (name: string): boolean => tableOfPart(name) !== undefined;
  await readEntries(file, isPart, async (name, content) => {
    const next = expected[place];
    if (!next) throw new ArchiveRefusedError(`${name} is in it, and not in its manifest.`);
    if (next.part.name !== name) throw new ArchiveRefusedError(`${name} stands where ${next.part.name} must.`);
    place += 1;
    await visit(next.table, rowsOf(next.part, content, next.table, manifest.tenant.id));
  });
  const missing = expected[place];
  if (missing) throw new ArchiveRefusedError(`${missing.part.name} is missing.`);
}

function rowsOf(part: ArchivePart, content: Buffer, table: ArchivedTable, tenantId: string): ArchivedRow[] {
  const refuse = (reason: string): never => {
    throw new ArchiveRefusedError(`${part.name} ${reason}.`);
  };
  const sha256 = createHash('sha256').update(content).digest('hex');
  if (content.length !== part.bytes || sha256 !== part.sha256) refuse('is damaged: its SHA-256 is another');
  const lines = content.toString('utf8').split('\n');
  if (lines.pop() !== '') refuse('ends within a row');
  if (lines.length !== part.rows) refuse(`has ${lines.length} rows, not ${part.rows}`);
  const names = table.columns.map((column) => column.name);
  const ownColumn = ownColumnOf(table.name);
  return lines.map((line, index) => {
    const where = `has in row ${index + 1}`;
    if (Buffer.byteLength(line) > MAX_LINE_BYTES) refuse(`${where} more than ${MAX_LINE_BYTES} bytes`);
    const values = objectOf(line) ?? refuse(`${where} no JSON object`);
    if (Object.keys(values).length !== names.length || !names.every((name) => Object.hasOwn(values, name)))
      refuse(`${where} other columns than its manifest says`);
    if (ownColumn !== undefined && values[ownColumn] !== tenantId) refuse(`${where} a row of another tenant`);
    return { line, values };
  });
}

/** The column that says whose a row is; people are nobody's. */
function ownColumnOf(table: string): string | undefined {
  if (table === ACCOUNTS) return undefined;
  return table === TENANTS ? 'id' : 'tenant_id';
}

function objectOf(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
