import { createHash, type KeyObject } from 'node:crypto';
import { isUUID } from 'class-validator';
import { PLATFORM_TENANT_ID } from '../../common/id';
import { SignatureInvalidError, verifyDocument } from '../../auth/signed-document';
import { readEntries } from './archive-entries';
import {
  ARCHIVE_TYPE,
  type ArchiveManifest,
  ArchiveRefusedError,
  FORMAT,
  MANIFEST,
  SIGNATURE,
  tableOfPart,
  VERSION,
} from './archive-format';

/** Whose signature is trusted: that of one of these public keys, or (`unsigned`) nobody's is asked for. */
export type Trust = ReadonlyMap<string, KeyObject> | 'unsigned';

/**
 * What an archive says of itself, once its signature was found to be of a trusted key. Its rows are looked at by readRows().
 * @throws ArchiveRefusedError
 */
export async function readManifest(file: string, trust: Trust): Promise<{ manifest: ArchiveManifest; sha256: string }> {
  const found = new Map<string, Buffer>();
  const isWanted = (name: string): boolean => name === MANIFEST || name === SIGNATURE;
  await readEntries(file, isWanted, (name, content) => {
    found.set(name, content);
    return Promise.resolve();
  });
  const content = found.get(MANIFEST);
  if (!content) throw new ArchiveRefusedError(`it has no ${MANIFEST}.`);
  if (trust !== 'unsigned') assertSigned(content, found.get(SIGNATURE), trust);
  return { manifest: parse(content), sha256: createHash('sha256').update(content).digest('hex') };
}

function assertSigned(content: Buffer, jws: Buffer | undefined, keys: ReadonlyMap<string, KeyObject>): void {
  if (!jws) throw new ArchiveRefusedError(`it is not signed (it has no ${SIGNATURE}).`);
  try {
    const { payload } = verifyDocument(jws.toString(), ARCHIVE_TYPE, keys);
    if (payload.equals(content)) return;
  } catch (error) {
    if (!(error instanceof SignatureInvalidError)) throw error;
    throw new ArchiveRefusedError(error.message, { cause: error });
  }
  throw new ArchiveRefusedError(`${MANIFEST} is not what was signed.`);
}

function parse(content: Buffer): ArchiveManifest {
  let manifest: Partial<ArchiveManifest>;
  try {
    manifest = Object(JSON.parse(content.toString())) as Partial<ArchiveManifest>;
  } catch {
    throw new ArchiveRefusedError(`${MANIFEST} is no JSON.`);
  }
  const { format, version } = manifest as { format?: unknown; version?: unknown };
  if (format !== FORMAT) throw new ArchiveRefusedError('it is no archive of a tenant.');
  if (typeof version === 'number' && version > VERSION)
    throw new ArchiveRefusedError(
      `its format is version ${version}, this Tenantry reads ${VERSION}. Upgrade it first.`,
    );
  if (version !== VERSION || !isManifest(manifest))
    throw new ArchiveRefusedError(`${MANIFEST} is not in the form of version ${VERSION}.`);
  return manifest;
}

/** An unsigned one can say anything. */
function isManifest(value: Partial<ArchiveManifest>): value is ArchiveManifest {
  const { issuer, exportedAt, asOf, tenant, migrations, tables } = value;
  return (
    areTexts(issuer, exportedAt, asOf, tenant?.id, tenant?.slug, tenant?.name) &&
    isUUID(tenant?.id) &&
    tenant?.id !== PLATFORM_TENANT_ID && // its owner would read the platform's audit trail
    Array.isArray(migrations) &&
    areTexts(...(migrations as unknown[])) &&
    Array.isArray(tables) &&
    tables.every(
      (table) =>
        areTexts(table?.name) &&
        Number.isInteger(table.rows) &&
        Array.isArray(table.columns) &&
        table.columns.every((column) => areTexts(column?.name, column?.type)) &&
        Array.isArray(table.parts) &&
        table.parts.every(
          (part) =>
            areTexts(part?.name, part?.sha256) &&
            Number.isInteger(part.bytes) &&
            Number.isInteger(part.rows) &&
            tableOfPart(part.name) === table.name,
        ),
    )
  );
}

const areTexts = (...values: unknown[]): boolean => values.every((value) => typeof value === 'string');
