import path from 'node:path';
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import type { MaterializeStep, Moment, RecoveredCluster, RestorePlan } from '../backups/engine';
import { openEngine } from '../backups/open-engine';
import { RecoveryStoppedError } from '../backups/recovery-stopped';
import { StartupError } from '../common/errors';
import { readBackupEnv } from '../config/backup-env';
import { type Finding, verifyCluster } from '../database/cluster-verification';
import { print } from './print';
import { ProgressLine } from './progress-line';

interface Options {
  to: string;
  at?: string;
  latest?: true;
  yes?: true;
}

const TITLES: Record<MaterializeStep, string> = { files: 'files', log: 'log', replay: 'replay' };
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
  const engine = openEngine(readBackupEnv());
  const plan = await engine.planRestore({ moment });
  const directory = path.resolve(options.to);
  print(describe(plan, directory));
  if (!options.yes && !(await isConfirmed())) throw new StartupError('Nothing was done.');

  const lines = new Map<MaterializeStep, ProgressLine>();
  const onProgress = (step: MaterializeStep, done: number, total: number): void => {
    const line = lines.get(step) ?? new ProgressLine(TITLES[step], true, step === 'files' ? 'bytes' : 'files');
    lines.set(step, line);
    line.show(done, total);
  };
  const startedAt = performance.now();
  const cluster = await engine.materialize(plan, { directory, onProgress });
  for (const line of lines.values()) line.end();
  const findings = await verifyAndFinish(cluster);
  for (const { check, database, problem } of findings) print(`NOT RIGHT (${check}, ${database}): ${problem}`);
  if (findings.length > 0)
    throw new RecoveryStoppedError(
      `What was restored into ${directory} is not fit to serve. It is kept for you to look at.`,
    );
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  print(
    `Restored in ${seconds} s: ${directory} is a data directory of PostgreSQL ${plan.serverMajor}. All checks passed.`,
  );
  print(
    'To use it, stop the server and start PostgreSQL on this directory; its logins and passwords are those of then.',
  );
}

async function verifyAndFinish(cluster: RecoveredCluster): Promise<Finding[]> {
  try {
    return await verifyCluster(cluster.adminUrl);
  } finally {
    await cluster.finish();
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

function describe({ backup, timeline, until }: RestorePlan, directory: string): string {
  const what = backup ? `The backup ${backup.id} (${backup.finishedAt.toISOString()})` : "The provider's backup";
  return [
    `${what} is restored into ${directory},`,
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
