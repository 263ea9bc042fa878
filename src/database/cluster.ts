import { Logger } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import path from 'node:path';
import { StartupError } from '../common/errors';
import type { ClusterHome } from './cluster-home';
import { settleSwap } from './cluster-swap';
import { openOwnedLog, writeOwnedFile } from './owned-file';
import { isAlive } from './postmaster';
import type { PostgresBinaries } from './postgres-binaries';
import { runProgram } from './run-program';

/** An initialized cluster. */
export interface Cluster {
  home: ClusterHome;
  /** The directory that PostgreSQL calls PGDATA; real path. */
  pgData: string;
  /** The superuser is `postgres`. */
  superuserPassword: string;
}

const logger = new Logger('EmbeddedPostgres');
const PASSWORD_FILE = 'superuser-password';
const SUPERUSER_PASSWORD_BYTES = 24;
const SETTINGS_FILE = 'tenantry.conf';

/**
 * Opens the cluster of a home, or makes it: aside, then renamed, so that no crash leaves half of one.
 * @throws StartupError when it was made by another major version of PostgreSQL
 */
export async function openCluster(home: ClusterHome, binaries: PostgresBinaries): Promise<Cluster> {
  removeHalfMade(home);
  if (!existsSync(home.path)) await createCluster(home, binaries);
  const ending = await settleSwap(path.join(home.path, 'data'));
  if (ending) logger.warn(`A restore that was cut short at its end has been ${ending}.`);
  if (!existsSync(path.join(home.path, 'data')))
    throw new StartupError(
      `There is no database in ${home.path}: a restore into it was cut short. Run it again, or delete ${home.path}.`,
    );
  const pgData = realpathSync(path.join(home.path, 'data'));
  const madeBy = readFileSync(path.join(pgData, 'PG_VERSION'), 'utf8').trim();
  if (Number(madeBy) !== binaries.major) {
    throw new StartupError(
      `The database in ${home.dataDir} was made by PostgreSQL ${madeBy}; this Tenantry runs PostgreSQL ${binaries.major}.\n` +
        `Move it over with pg_upgrade or with a dump from a Tenantry that runs ${madeBy}, or choose another directory with DATA_DIR.`,
    );
  }
  return { home, pgData, superuserPassword: readFileSync(path.join(home.path, PASSWORD_FILE), 'utf8').trim() };
}

/**
 * Makes a home ready for a cluster that is to be restored into it: on a machine of which all was lost there is none yet.
 * @returns the superuser's password that its next start goes by
 */
export function prepareClusterHome(home: ClusterHome): string {
  const passwordFile = path.join(home.path, PASSWORD_FILE);
  if (!existsSync(home.path)) {
    mkdirSync(home.path, { mode: 0o700 });
    if (home.account) chownSync(home.path, home.account.uid, home.account.gid);
  }
  if (!existsSync(passwordFile))
    writeOwnedFile(passwordFile, randomBytes(SUPERUSER_PASSWORD_BYTES).toString('base64url'), home.account);
  return readFileSync(passwordFile, 'utf8').trim();
}

/**
 * Writes the server's settings; they hold from its next start on.
 * @returns whether they differ from those that stood there
 */
export function writeSettings(cluster: Cluster, settings: Readonly<Record<string, string>>): boolean {
  const lines = Object.entries(settings).map(
    ([name, value]) => `${name} = '${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'\n`,
  );
  const text = `# Written by Tenantry before each start of the server.\n${lines.join('')}`;
  const file = path.join(cluster.pgData, SETTINGS_FILE);
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return false;
  writeOwnedFile(`${file}.new`, text, cluster.home.account);
  renameSync(`${file}.new`, file);
  return true;
}

async function createCluster(home: ClusterHome, binaries: PostgresBinaries): Promise<void> {
  const aside = `${home.path}.${process.pid}.${randomBytes(3).toString('hex')}.partial`;
  mkdirSync(aside, { mode: 0o700 });
  if (home.account) chownSync(aside, home.account.uid, home.account.gid);
  const passwordFile = path.join(aside, PASSWORD_FILE);
  const pgData = path.join(aside, 'data');
  try {
    writeOwnedFile(passwordFile, randomBytes(SUPERUSER_PASSWORD_BYTES).toString('base64url'), home.account);
    await runProgram(
      binaries.initdb,
      // The locale C is the same on every version and machine: indexes survive an upgrade of the operating system.
      [
        '-D',
        pgData,
        '-U',
        'postgres',
        '--pwfile',
        passwordFile,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C',
      ],
      home.account,
    );
    const configuration = openOwnedLog(path.join(pgData, 'postgresql.conf'), home.account);
    appendFileSync(configuration, `\ninclude '${SETTINGS_FILE}'\n`);
    closeSync(configuration);
    renameSync(aside, home.path);
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    if (!existsSync(home.path)) throw error; // else another start was faster
  }
}

/** Removes what a first start left that was killed in its middle. One that still runs is let alone. */
function removeHalfMade(home: ClusterHome): void {
  const parent = path.dirname(home.path);
  const prefix = `${path.basename(home.path)}.`;
  for (const name of readdirSync(parent)) {
    if (!name.startsWith(prefix) || !name.endsWith('.partial')) continue;
    const maker = Number(name.slice(prefix.length).split('.')[0]);
    const file = path.join(parent, name);
    // In a container each start has the same process number: what is older than we are is not ours.
    const isOlder = statSync(file).mtimeMs < Date.now() - process.uptime() * 1000;
    if (maker === process.pid ? isOlder : !isAlive(maker)) {
      // Its initdb may outlive it for a moment, and still be writing.
      rmSync(file, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    }
  }
}
