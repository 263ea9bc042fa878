import type { Catalogue, Column, ForeignKey, Table } from '../catalogue';

/** PostgreSQL's names of types where Mermaid does not take them, or where the catalogue's differ from what people write. */
const TYPE_NAMES: Record<string, string> = {
  _text: 'text[]',
  bool: 'boolean',
  int4: 'integer',
  int8: 'bigint',
};

/** The entity-relationship diagram of the whole catalogue, in Mermaid. */
export function erDiagram(catalogue: Catalogue): string {
  const tables = [...catalogue.values()];
  return [
    '```mermaid',
    'erDiagram',
    ...tables.flatMap(entityOf),
    ...tables.flatMap((table) => table.foreignKeys.map((key) => relationOf(table, key))),
    '```',
  ].join('\n');
}

function entityOf(table: Table): string[] {
  return [`  "${table.name}" {`, ...table.columns.map((column) => `    ${attributeOf(table, column)}`), '  }'];
}

function attributeOf(table: Table, { name, type, isNullable }: Column): string {
  const keys = [
    ...(table.primaryKey.includes(name) ? ['PK'] : []),
    ...(table.foreignKeys.some(({ columns }) => columns.includes(name)) ? ['FK'] : []),
  ];
  return [TYPE_NAMES[type] ?? type, name, keys.join(', '), isNullable ? '"or null"' : ''].filter(Boolean).join(' ');
}

/** A key that is the whole primary key leads from one row to at most one. */
function relationOf(table: Table, { target, columns }: ForeignKey): string {
  const isOneToOne =
    columns.length === table.primaryKey.length && columns.every((name) => table.primaryKey.includes(name));
  return `  "${target}" ||--${isOneToOne ? 'o|' : 'o{'} "${table.name}" : "${columns.join(', ')}"`;
}
