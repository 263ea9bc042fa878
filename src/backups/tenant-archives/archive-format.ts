import type { TableColumn } from '../../database/tenant-tables';

/*
 * The archive of a tenant: a gzipped tar of parts `tables/<schema.table>/<number>.ndjson`, then `manifest.json`, then
 * `manifest.jws`. Documented in docs/export-and-erasure.md; what is changed here is changed there, and raises VERSION.
 */
export const FORMAT = 'tenantry-tenant-archive';
export const VERSION = 1;
/** The `typ` of manifest.jws. */
export const ARCHIVE_TYPE = 'tenantry-tenant-archive';

export const MANIFEST = 'manifest.json';
export const SIGNATURE = 'manifest.jws';
/** The people that memberships refer to. They stand above tenants, so it is no table of the tenant's. */
export const ACCOUNTS = 'identity.users';
export const ACCOUNT_COLUMNS = ['id', 'email', 'name'] as const;

/** A part is closed when it has grown to this: what a writer holds in memory. */
export const PART_BYTES = 2 * 1024 * 1024;
/** A row, and so a line, is at most so long: what a reader holds in memory. (A request has at most 1 MiB.) */
export const MAX_LINE_BYTES = 8 * 1024 * 1024;
export const MAX_PART_BYTES = PART_BYTES + MAX_LINE_BYTES;
/** About a hundred thousand parts. */
export const MAX_MANIFEST_BYTES = 32 * 1024 * 1024;

const PART = /^tables\/([a-z_]+\.[a-z_0-9]+)\/\d{6}\.ndjson$/;

export const partName = (table: string, number: number): string =>
  `tables/${table}/${String(number).padStart(6, '0')}.ndjson`;

/** Of which table it is a part; undefined: of none. */
export const tableOfPart = (name: string): string | undefined => PART.exec(name)?.[1];

export interface ArchivePart {
  name: string;
  bytes: number;
  rows: number;
  /** In hex. */
  sha256: string;
}

export interface ArchivedTable {
  /** `schema.table` */
  name: string;
  columns: TableColumn[];
  rows: number;
  /** In their order. */
  parts: ArchivePart[];
}

export interface ArchiveManifest {
  format: typeof FORMAT;
  version: typeof VERSION;
  /** TOKEN_ISSUER of the instance that made it. */
  issuer: string;
  exportedAt: string;
  /** The moment that the rows are of. */
  asOf: string;
  tenant: { id: string; slug: string; name: string };
  /** The migrations that its database had, the oldest first. */
  migrations: string[];
  /** In the order of their foreign keys; `identity.users` comes first. */
  tables: ArchivedTable[];
}

/** An archive that is not what was exported, or is not to be trusted. */
export class ArchiveRefusedError extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(`The archive is refused: ${reason} Nothing was changed.`, options);
    this.name = 'ArchiveRefusedError';
  }
}
