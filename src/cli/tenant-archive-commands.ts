import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { isUUID } from 'class-validator';
import type { Command } from 'commander';
import type { PublicJwk } from '../auth/signing-key';
import { SigningKeysService } from '../auth/signing-keys.service';
import { BACKUP_LOGIN, backupUrlOf } from '../backups/backup-login';
import { openEngine } from '../backups/open-engine';
import { exportTenant } from '../backups/tenant-archives/export-tenant';
import { type ImportPlan, planImport } from '../backups/tenant-archives/import-plan';
import { importTenant } from '../backups/tenant-archives/import-tenant';
import { readManifest, type Trust } from '../backups/tenant-archives/read-manifest';
import { withTenantSource } from '../backups/tenant-restores/tenant-source';
import { NotFoundError, StartupError } from '../common/errors';
import { readPostgresUrl } from '../common/postgres-url';
import { readBackupEnv } from '../config/backup-env';
import { Env } from '../config/env';
import { TenantReader } from '../database/tenant-reader';
import { TenantWriter } from '../database/tenant-writer';
import { assertConfirmed } from './confirmation';
import { untilInterrupted } from './interruption';
import { withPlatform } from './platform-context';
import { print } from './print';
import { timeOf } from './restore-target';

interface ExportOptions {
  to: string;
  at?: string;
  json?: true;
}

interface ImportOptions {
  slug?: string;
  newId?: true;
  trust?: string;
  unsigned?: true;
  dryRun?: true;
  yes?: true;
  json?: true;
}

const EXPORT_HELP = `
The archive is a signed tar.gz of NDJSON (docs/export-and-erasure.md). It holds
names and e-mail addresses, and no password: keep it as you keep the database.

Examples:
  npm run tenantry -- tenant export acme --to acme.tar.gz
  npm run tenantry -- tenant export acme --at 2026-11-23T10:15:00Z --to acme.tar.gz`;

const IMPORT_HELP = `
The signature must be of a key in --trust (the /.well-known/document-keys.json of
where it was exported: a file or an https:// address), or without that of this one.
Nothing is changed unless all of it fits: checksums, schema, slug, id.

People are recognized by their e-mail address: who has an account here is in the
imported tenant at once; the others get one without a password.

Examples:
  npm run tenantry -- tenant import acme.tar.gz --trust jwks.json --dry-run
  npm run tenantry -- tenant import acme.tar.gz --slug acme-copy --new-id`;

const SLUG = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const FETCH_TIMEOUT_MS = 10_000;

/** @param tenant the group of commands about one tenant */
export function registerTenantArchiveCommands(tenant: Command): void {
  tenant
    .command('export <tenant>')
    .description('Writes all that a tenant (slug or id) owns into a signed archive.')
    .requiredOption('--to <file>', 'a new file; an existing one is refused')
    .option('--at <time>', 'as it was at this moment, out of the backups')
    .option('--json', 'as JSON, for programs')
    .addHelpText('after', EXPORT_HELP)
    .action(exportArchive);
  tenant
    .command('import <file>')
    .description('Imports a tenant from an archive, possibly of another Tenantry.')
    .option('--slug <slug>', 'under another slug')
    .option('--new-id', 'under a new id, so that it can stand beside the one it is of')
    .option('--trust <jwks>', 'the keys that may have signed it: a file or an https:// address')
    .option('--unsigned', 'asks for no signature: whoever made the archive is believed')
    .option('--dry-run', 'checks all of it and says what it would do')
    .option('--yes', 'does not ask')
    .option('--json', 'as JSON, for programs')
    .addHelpText('after', IMPORT_HELP)
    .action(importArchive);
}

async function exportArchive(name: string, { to, at, json }: ExportOptions): Promise<void> {
  const env = readBackupEnv();
  const url = backupUrlOf(env);
  const tenantId = await tenantIdOf(url, name);
  await assertNotErased(url, tenantId);
  await withPlatform(async (context) => {
    const key = await context.get(SigningKeysService).signingKey();
    const issuer = context.get(Env).TOKEN_ISSUER;
    const asOf = at === undefined ? undefined : timeOf(at);
    const file = path.resolve(to);
    const write = (reader: TenantReader) => exportTenant({ reader, tenantId, file, key, issuer, asOf });
    const manifest = await (asOf === undefined ? fromNow(url, tenantId, write) : fromThen(asOf, tenantId, url, write));
    if (json) return print(JSON.stringify({ file, ...manifest }, null, 2));
    const rows = manifest.tables.map((table) => `${table.name} ${table.rows}`).join(', ');
    print(`${manifest.tenant.slug} (${tenantId}) as of ${manifest.asOf} is in ${file}: ${rows}.`);
  });
}

async function fromNow<Result>(
  url: string,
  tenantId: string,
  work: (reader: TenantReader) => Promise<Result>,
): Promise<Result> {
  const reader = await TenantReader.connectAs(url, BACKUP_LOGIN, tenantId);
  try {
    return await work(reader);
  } finally {
    await reader.end();
  }
}

/** What was erased since stays erased. @throws StartupError */
async function assertNotErased(url: string, tenantId: string, reader?: TenantReader): Promise<void> {
  const people = await reader?.query<{ id: string; email: string }>(
    'SELECT user_id AS id, email FROM app.memberships WHERE tenant_id = $1',
    [tenantId],
  );
  await withWriter(url, async ({ query }) => {
    const [tenant] = await query<{ erased: boolean }>('SELECT ops.is_tenant_erased($1) AS erased', [tenantId]);
    if (tenant?.erased) throw new StartupError(`The tenant ${tenantId} was erased for good.`);
    const erased = await query("SELECT account_id FROM ops.absent_accounts($1, $2) WHERE problem = 'erased'", [
      people?.map(({ id }) => id) ?? [],
      people?.map(({ email }) => email) ?? [],
    ]);
    if (erased.length > 0)
      throw new StartupError(`${erased.length} people of then were erased since, so it is not exported as of then.`);
  });
}

function fromThen<Result>(
  at: Date,
  tenantId: string,
  url: string,
  work: (reader: TenantReader) => Promise<Result>,
): Promise<Result> {
  const env = readBackupEnv();
  const database = readPostgresUrl(url)?.database ?? 'tenantry';
  return untilInterrupted((signal) =>
    withTenantSource(
      { env, engine: openEngine(env), at, tenantId, database, onProgress: () => undefined, signal },
      async (reader) => {
        await assertNotErased(url, tenantId, reader);
        return work(reader);
      },
    ),
  );
}

async function importArchive(file: string, options: ImportOptions): Promise<void> {
  const { slug, newId, dryRun, json } = options;
  if (slug !== undefined && !SLUG.test(slug))
    throw new StartupError('--slug must be 1 to 63 of a-z, 0-9 and -, and begin and end with a letter or digit.');
  const { manifest, sha256 } = await readManifest(file, await trustOf(options));
  await withWriter(backupUrlOf(readBackupEnv()), async (writer) => {
    const plan = await planImport(writer, { file, manifest, sha256, slug, newId });
    if (!json) tell(plan);
    if (dryRun) {
      if (json) print(JSON.stringify(summaryOf(plan), null, 2));
      else for (const conflict of plan.conflicts) print(`In the way: ${conflict}`);
      if (plan.conflicts.length > 0) process.exitCode = 1;
      return;
    }
    if (plan.conflicts.length === 0 && !options.yes) await assertConfirmed('Import it?');
    const result = await importTenant(writer, plan);
    if (json) return print(JSON.stringify({ ...summaryOf(plan), ...result }, null, 2));
    const rows = Object.entries(result.rows).map(([table, count]) => `${table} ${count}`);
    print(`Imported ${result.slug} (${result.tenantId}): ${rows.join(', ')}.`);
    print(`Accounts made: ${result.accountsCreated}. Rows of erased people left out: ${result.rowsLeftOut}.`);
  });
}

function tell({ request: { manifest }, slug, tenantId, people, matched, erased }: ImportPlan): void {
  const { tenant, issuer, asOf, tables } = manifest;
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  print(`${tenant.name} (${tenant.slug}, ${tenant.id}) of ${issuer}, as of ${asOf}: ${rows} rows.`);
  print(`It becomes ${slug} (${tenantId}). The audit trail stays in the archive.`);
  const made = people.length - matched - erased.length;
  print(`People: ${matched} have an account here and get access, ${made} get one, ${erased.length} were erased here.`);
}

function summaryOf({ slug, tenantId, people, matched, erased, conflicts, request: { manifest } }: ImportPlan): object {
  const { tables, migrations, ...source } = manifest;
  const rows = Object.fromEntries(tables.map((table) => [table.name, table.rows]));
  const last = migrations.at(-1);
  return {
    source: { ...source, schema: last, rows },
    slug,
    tenantId,
    people: people.length,
    matched,
    erased,
    conflicts,
  };
}

async function trustOf({ trust, unsigned }: ImportOptions): Promise<Trust> {
  if (unsigned) {
    if (trust !== undefined) throw new StartupError('--trust and --unsigned exclude each other.');
    return 'unsigned';
  }
  if (trust === undefined)
    return withPlatform(async (context) => keysOf(await context.get(SigningKeysService).documentKeys()));
  let keys: PublicJwk[] | undefined;
  try {
    keys = ((await readJson(trust)) as { keys?: PublicJwk[] }).keys;
    if (Array.isArray(keys)) return keysOf(keys);
  } catch (error) {
    throw new StartupError(`${trust} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  throw new StartupError(`${trust} holds no keys (RFC 7517).`);
}

async function readJson(place: string): Promise<unknown> {
  if (!place.startsWith('https://')) return JSON.parse(await readFile(place, 'utf8'));
  const answer = await fetch(place, { redirect: 'error', signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
  if (!answer.ok) throw new Error(`it answers ${answer.status}`);
  return answer.json();
}

function keysOf(jwks: readonly PublicJwk[]): ReadonlyMap<string, KeyObject> {
  return new Map(jwks.map((jwk) => [jwk.kid, createPublicKey({ key: { ...jwk }, format: 'jwk' })]));
}

async function tenantIdOf(url: string, name: string): Promise<string> {
  if (isUUID(name)) return name.toLowerCase();
  return withWriter(url, async ({ query }) => {
    const [found] = await query<{ id: string | null }>('SELECT ops.tenant_of_slug($1)::text AS id', [name]);
    if (!found?.id) throw new NotFoundError('tenant');
    return found.id;
  });
}

async function withWriter<Result>(url: string, work: (writer: TenantWriter) => Promise<Result>): Promise<Result> {
  const writer = await TenantWriter.connect(url, BACKUP_LOGIN);
  try {
    return await work(writer);
  } finally {
    await writer.end();
  }
}
