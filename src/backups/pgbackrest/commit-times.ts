import { execFile } from 'node:child_process';
import path from 'node:path';
import { PROGRAM_ENV } from '../../database/run-program';

/** The first and the last commit that a segment of the log holds; undefined: it holds none. */
export type CommitTimes = { first: Date; last: Date } | undefined;

const COMMIT = /desc: COMMIT(?:_PREPARED \d+:)? (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d\.\d+) UTC/g;
/** Of a segment's transaction records as text: 16 MB of log that is nothing but commits. */
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;

/**
 * Reads the times of commits out of a segment with PostgreSQL's `pg_waldump`.
 * @param segment a file that has the segment's own name
 */
export async function readCommitTimes(binDir: string, segment: string): Promise<CommitTimes> {
  const args = ['--rmgr=Transaction', segment];
  const options = { cwd: '/', env: { ...PROGRAM_ENV, TZ: 'UTC' }, maxBuffer: MAX_OUTPUT_BYTES };
  const output = await new Promise<string>((resolve, reject) => {
    execFile(path.join(binDir, 'pg_waldump'), args, options, (error, stdout) => {
      // It fails at the end of a segment whose last record goes on in the next one.
      if (error && typeof error.code !== 'number') reject(new Error(`pg_waldump does not run: ${error.message}`));
      else resolve(stdout);
    });
  });
  let first: Date | undefined;
  let last: Date | undefined;
  for (const [, day, time] of output.matchAll(COMMIT)) {
    last = timeBefore(`${day}T${time}`);
    first ??= last;
  }
  return first && last && { first, last };
}

/** The last millisecond before it: recovery to a moment ends when it meets a later commit, so there has to be one. */
function timeBefore(text: string): Date {
  const [seconds = '', fraction = ''] = text.split('.');
  const microseconds = Number(fraction.padEnd(6, '0').slice(0, 6));
  return new Date(Date.parse(`${seconds}Z`) + Math.floor((microseconds - 1) / 1000));
}
