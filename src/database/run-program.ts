import { execFile } from 'node:child_process';
import type { Account } from './unprivileged-account';

/** What PostgreSQL's programs find in their environment: nothing of ours, so neither secrets nor stray PG* variables. */
export const PROGRAM_ENV = { PATH: '/usr/bin:/bin', LC_ALL: 'C' };

/** How long `initdb` and `pg_ctl` may take; the longest is a stop that writes a large checkpoint. */
const TIMEOUT_MS = 120_000;

/**
 * Runs a program to its end, as the given account when there is one, and gives its standard output.
 * @throws Error whose message is what the program said on its standard error
 */
export function runProgram(file: string, args: readonly string[], account?: Account): Promise<string> {
  const options = { ...idsOf(account), cwd: '/', env: PROGRAM_ENV, timeout: TIMEOUT_MS };
  return new Promise((resolve, reject) => {
    execFile(file, args, options, (error, stdout, stderr) => {
      if (error) reject(new Error(stderr.trim() || error.message, { cause: error }));
      else resolve(stdout);
    });
  });
}

/** The part of spawn's options that says who runs it. */
export function idsOf(account: Account | undefined): { uid?: number; gid?: number } {
  return account ? { uid: account.uid, gid: account.gid } : {};
}
