import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { StartupError } from '../common/errors';
import { readPostgresUrl } from '../common/postgres-url';
import { connectTo } from './server-connection';

/** Runs one statement and gives its rows; a pool, a client or Prisma's raw query behind it. */
export type RowsQuery = (sql: string) => Promise<unknown[]>;

/** Names of migrations, oldest first. */
export interface MigrationState {
  /** Not applied yet, or rolled back. */
  pending: string[];
  /** Begun and not finished: a person must look (`prisma migrate resolve`). */
  failed: string[];
  /** Applied with another text than the file has now. */
  edited: string[];
}

interface MigrationRow {
  migration_name: string;
  checksum: string;
  finished_at: Date | null;
  rolled_back_at: Date | null;
}

/** The directory of package.json: two above this file, in src/ as in dist/. */
const PACKAGE_ROOT = path.resolve(__dirname, '..', '..');
/** A migration of a large table takes long; this only ends one that hangs. */
const DEPLOY_TIMEOUT_MS = 3_600_000;

/**
 * Compares prisma/migrations with what the database says was applied. Any login that may read `public._prisma_migrations`
 * can ask.
 */
export async function pendingMigrations(query: RowsQuery, packageRoot = PACKAGE_ROOT): Promise<MigrationState> {
  const rows = await readApplied(query);
  const state: MigrationState = { pending: [], failed: [], edited: [] };
  for (const [name, script] of readMigrations(packageRoot)) {
    const standing = rows.filter((row) => row.migration_name === name && row.rolled_back_at === null);
    const applied = standing.find((row) => row.finished_at !== null);
    if (applied) {
      if (!checksums(script).includes(applied.checksum)) state.edited.push(name);
    } else if (standing.length > 0) state.failed.push(name);
    else state.pending.push(name);
  }
  return state;
}

/**
 * The state of a database under one of its logins.
 * @throws StartupError when that login cannot connect
 */
export async function migrationStateOf(
  url: string,
  connectTimeoutMs?: number,
  packageRoot = PACKAGE_ROOT,
): Promise<MigrationState> {
  const client = await connectTo(url, connectTimeoutMs);
  try {
    return await pendingMigrations(async (sql) => (await client.query(sql)).rows as unknown[], packageRoot);
  } finally {
    await client.end();
  }
}

/**
 * Refuses a database whose schema is not the one that this code was written for.
 * @throws StartupError naming the migrations to apply, or why the database cannot be asked
 */
export async function assertMigrated(url: string, connectTimeoutMs: number): Promise<void> {
  const { pending, failed } = await migrationStateOf(url, connectTimeoutMs);
  if (failed.length > 0) {
    throw new StartupError(
      `A migration of the database has failed: ${failed.join(', ')}.\nSee npx prisma migrate status, and npx prisma migrate resolve.`,
    );
  }
  if (pending.length > 0) {
    throw new StartupError(
      `The database lacks migrations: ${pending.join(', ')}.\nApply them with the owner's login: npx prisma migrate deploy (it reads POSTGRES_OWNER_URL).`,
    );
  }
}

/**
 * Applies what is pending with `prisma migrate deploy`, under the owner's login.
 * @throws StartupError with Prisma's own reason, never the URL
 */
export async function deployMigrations(ownerUrl: string, packageRoot = PACKAGE_ROOT): Promise<void> {
  const cli = require.resolve('prisma/build/index.js', { paths: [packageRoot] });
  const { code, output } = await run(cli, ['migrate', 'deploy'], ownerUrl, packageRoot);
  if (code === 0) return;
  throw new StartupError(`The database migrations could not be applied.\n${redact(reasonIn(output), ownerUrl)}`);
}

/**
 * Brings the schema up to date; where it is, Prisma is not even started.
 * @throws StartupError
 */
export async function applyMigrations(ownerUrl: string): Promise<void> {
  const { pending, failed } = await migrationStateOf(ownerUrl);
  if (pending.length + failed.length > 0) await deployMigrations(ownerUrl);
}

async function readApplied(query: RowsQuery): Promise<MigrationRow[]> {
  const [found] = (await query(`SELECT to_regclass('public._prisma_migrations') IS NOT NULL AS exists`)) as {
    exists: boolean;
  }[];
  if (!found?.exists) return [];
  return (await query(
    'SELECT migration_name, checksum, finished_at, rolled_back_at FROM public._prisma_migrations',
  )) as MigrationRow[];
}

function readMigrations(packageRoot: string): [name: string, script: string][] {
  const directory = path.join(packageRoot, 'prisma', 'migrations');
  return readdirSync(directory)
    .sort()
    .map((name): [string, string] => [name, path.join(directory, name, 'migration.sql')])
    .filter(([, file]) => existsSync(file))
    .map(([name, file]) => [name, readFileSync(file, 'utf8')]);
}

/** Prisma takes a script whose line ends a checkout has changed for the same. */
function checksums(script: string): string[] {
  const unix = script.replaceAll('\r\n', '\n');
  return [script, unix, unix.replaceAll('\n', '\r\n')].map((text) => createHash('sha256').update(text).digest('hex'));
}

function run(
  cli: string,
  args: string[],
  ownerUrl: string,
  cwd: string,
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [cli, ...args], {
      cwd,
      // Nothing of ours: neither secrets nor settings of another Prisma. The engine's first line looks for node in PATH.
      env: {
        PATH: `${path.dirname(process.execPath)}:/usr/bin:/bin`,
        POSTGRES_OWNER_URL: ownerUrl,
        NO_COLOR: '1',
        CHECKPOINT_DISABLE: '1', // no question to Prisma's servers whether there is a newer version
        PRISMA_HIDE_UPDATE_MESSAGE: '1',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: DEPLOY_TIMEOUT_MS,
    });
    const output: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output: Buffer.concat(output).toString('utf8') }));
  });
}

/** Prisma's words from "Error:" on, without its first lines about which files it loaded. */
function reasonIn(output: string): string {
  const start = output.search(/^Error/m);
  return (start >= 0 ? output.slice(start) : output).trim();
}

function redact(text: string, url: string): string {
  const password = readPostgresUrl(url)?.password ?? '';
  const secrets = [url, password, encodeURIComponent(password)].filter((secret) => secret !== '');
  return secrets.reduce((redacted, secret) => redacted.replaceAll(secret, '***'), text);
}
