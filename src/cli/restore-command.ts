import path from 'node:path';
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { BackupStore } from '../backups/native/backup-store';
import type { Moment } from '../backups/engine';
import { planRestore, restore, type RestorePlan, type RestoreStep } from '../backups/native/restore';
import { RecoveryStoppedError } from '../backups/recovery-stopped';
import { StartupError } from '../common/errors';
import { readBackupEnv } from '../config/backup-env';
import { type Finding, verifyCluster } from '../database/cluster-verification';
import type { RecoveryServer } from '../database/recovery-server';
import { print } from './print';
import { ProgressLine } from './progress-line';

interface Options {
  to: string;
  at?: string;
  latest?: true;
  yes?: true;
}

const TITLES: Record<RestoreStep, string> = { files: 'files', log: 'log', replay: 'replay' };
/** ISO 8601 with an offset: a time without one means something else on each machine. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)$/;

export function registerRestoreCommand(program: Command): void {
  program
    .command('restore')
    .description('Restores the cluster into a new directory. What runs now is not touched.')
    .requiredOption('--to <directory>', 'the new data directory (PGDATA); it must not exist')
    .option('--at <time>', 'to this moment, such as 2026-11-23T10:15:00Z')
    .option('--latest', 'as far as the stored log goes')
    .option('--yes', 'does not ask')
    .action(restoreCluster);
}

/** Says what will happen, asks, restores, and says what to do with it. */
async function restoreCluster(options: Options): Promise<void> {
  const moment = momentOf(options);
  const env = readBackupEnv();
  const store = BackupStore.open(env);
  const plan = await planRestore(store, moment);
  const directory = path.resolve(options.to);
  print(describe(plan, directory));
  if (!options.yes && !(await isConfirmed())) throw new StartupError('Nothing was done.');

  const lines = new Map<RestoreStep, ProgressLine>();
  const onProgress = (step: RestoreStep, done: number, total: number): void => {
    const line = lines.get(step) ?? new ProgressLine(TITLES[step], true, step === 'files' ? 'bytes' : 'files');
    lines.set(step, line);
    line.show(done, total);
  };
  const startedAt = performance.now();
  const server = await restore({ store, plan, directory, binDir: env.postgresBinDir, onProgress });
  for (const line of lines.values()) line.end();
  const findings = await verifyAndFinish(server);
  for (const { check, database, problem } of findings) print(`NOT RIGHT (${check}, ${database}): ${problem}`);
  if (findings.length > 0)
    throw new RecoveryStoppedError(
      `What was restored into ${directory} is not fit to serve. It is kept for you to look at.`,
    );
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  print(
    `Restored in ${seconds} s: ${directory} is a data directory of PostgreSQL ${plan.window.backup.serverMajor}. All checks passed.`,
  );
  print(
    'To use it, stop the server and start PostgreSQL on this directory; its logins and passwords are those of then.',
  );
}

async function verifyAndFinish(server: RecoveryServer): Promise<Finding[]> {
  try {
    return await verifyCluster(server.adminUrl);
  } finally {
    await server.finish();
  }
}

function momentOf({ at, latest }: Options): Moment {
  if ((at === undefined) === (latest === undefined)) throw new StartupError('Say --at <time> or --latest.');
  if (at === undefined) return { kind: 'latest' };
  const time = new Date(at);
  if (!TIME.test(at) || Number.isNaN(time.getTime()))
    throw new StartupError(`--at must be a time with its offset, such as ${new Date().toISOString()}.`);
  return { kind: 'time', at: time };
}

function describe({ window, moment }: RestorePlan, directory: string): string {
  const { backup, timeline, to } = window;
  const until = moment.kind === 'time' ? moment.at : to;
  return [
    `The backup ${backup.id} (${backup.finishedAt}) is restored into ${directory},`,
    `then its log of timeline ${timeline} is replayed to ${until.toISOString()}. The running server is not touched.`,
  ].join('\n');
}

async function isConfirmed(): Promise<boolean> {
  if (!process.stdin.isTTY) throw new StartupError('Nobody is there to ask: say --yes.');
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await prompt.question('Go on? [y/N] ')).trim());
  } finally {
    prompt.close();
  }
}
