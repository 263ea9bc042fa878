import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { ReceiptStore } from '../backups/erasures/receipt-store';
import { openEngine } from '../backups/open-engine';
import { openNotes } from '../backups/repository/open-notes';
import { type RecoveryPlace, recoverCluster } from '../backups/recovery-procedure';
import { StartupError } from '../common/errors';
import { readPostgresUrl } from '../common/postgres-url';
import { type BackupEnv, readBackupEnv } from '../config/backup-env';
import { readLoginUrls } from '../config/login-urls';
import { assertReplaceable } from '../database/stopped-cluster';
import { prepareClusterHome } from '../database/cluster';
import { type ClusterHome, locateClusterHome } from '../database/cluster-home';
import { settleSwap } from '../database/cluster-swap';
import { keptLoginUrls } from '../database/embedded-database';
import { type LoginPurpose, LOGINS } from '../database/login-definitions';
import { assertConfirmed } from './confirmation';
import { untilInterrupted } from './interruption';
import { RestoreReportForPeople, RestoreReportForPrograms } from './restore-report';
import { type TargetOptions, targetOf } from './restore-target';

interface Options extends TargetOptions {
  to?: string;
  inPlace?: true;
  dataDirectory?: string;
  yes?: true;
  json?: true;
  dryRun?: true;
}

const HELP = `
What to restore: one of --at, --latest, --restore-point. --backup says from
which base backup; alone, it is the cluster as it was when that was finished.

The steps: restore beside the place; verify the data; bring logins (passwords)
to those of now; apply migrations; verify again; erase again what was erased
after that moment; and only then, with --in-place, swap by rename and keep the
old directory. A step that fails stops all of it, nothing is swapped, and what
was restored is kept for a look.

--json prints a line of JSON for each thing that happens (events plan, step,
progress, result); the last has the event "result" and a status: restored,
planned or failed.

Examples:
  npm run tenantry -- backup list                                what can be restored
  npm run tenantry -- restore --at 2026-11-23T10:15:00Z --in-place --dry-run
  npm run tenantry -- restore --at 2026-11-23T10:15:00Z --in-place
  npm run tenantry -- restore --latest --to /srv/restored        a copy, to look at
  npm run tenantry -- restore --latest --in-place --data-directory /var/lib/postgresql/15/main`;

export function registerRestoreCommand(program: Command): void {
  program
    .command('restore')
    .description('Brings the whole cluster back to a moment: restores, verifies, migrates, verifies again, swaps.')
    .option('--at <time>', 'to this moment, such as 2026-11-23T10:15:00Z')
    .option('--latest', 'as far as the stored log goes')
    .option('--restore-point <name>', 'to a place that was named before (restore-point create)')
    .option('--backup <id>', 'from this base backup; alone: as it was when it was finished')
    .option('--to <directory>', 'into a new data directory (PGDATA); what runs now is not touched')
    .option('--in-place', 'in the place of the stopped cluster, which is kept beside it')
    .option('--data-directory <directory>', 'with --in-place: of a server of your own (PGDATA)')
    .option('--dry-run', 'says what it would do, and does nothing')
    .option('--yes', 'does not ask')
    .option('--json', 'as lines of JSON, for programs')
    .addHelpText('after', HELP)
    .action(restoreCluster);
}

async function restoreCluster(options: Options): Promise<void> {
  const report = options.json ? new RestoreReportForPrograms() : new RestoreReportForPeople();
  try {
    const env = readBackupEnv();
    const engine = openEngine(env);
    const target = await targetOf(options, engine);
    const { place, home } = engine.name === 'external' ? elsewhere(options) : await placeOf(options, env);
    const plan = await engine.planRestore(target);
    report.plan(plan, place);
    if (options.dryRun) return report.planned();
    if (!options.yes) await assertConfirmed('Go on?');
    const result = await untilInterrupted((signal) =>
      recoverCluster({
        engine,
        notes: openNotes(env),
        plan,
        place,
        passwords: passwordsOfNow(env),
        receipts: ReceiptStore.open(env),
        superuserPassword: home && prepareClusterHome(home),
        onEvent: (event) => report.event(event),
        signal,
      }),
    );
    report.restored(plan, place, result);
  } catch (error) {
    report.failed(error);
    throw error;
  }
}

/** @throws StartupError when it says where to: the provider has restored it already */
function elsewhere({ to, inPlace, dataDirectory }: Options): { place: RecoveryPlace; home?: ClusterHome } {
  if (to !== undefined || inPlace || dataDirectory !== undefined)
    throw new StartupError('Your provider restores (BACKUP_ENGINE=external): say neither --to nor --in-place.');
  return { place: { kind: 'elsewhere' } };
}

/**
 * Where to; with the embedded database's home, if it is that. A swap that a crash has cut short is ended first: it was decided.
 * @throws StartupError when it says nothing, or contradicts itself; BusyError while a server runs there
 */
async function placeOf(
  { to, inPlace, dataDirectory }: Options,
  env: BackupEnv,
): Promise<{ place: RecoveryPlace; home?: ClusterHome }> {
  if ((to === undefined) === (inPlace === undefined))
    throw new StartupError('Say where to: --to <directory>, or --in-place.');
  if (to !== undefined) {
    if (dataDirectory !== undefined) throw new StartupError('--data-directory belongs to --in-place.');
    return { place: { kind: 'new', directory: path.resolve(to) } };
  }
  if (dataDirectory === undefined && env.url !== undefined)
    throw new StartupError("Say which directory: --in-place --data-directory <the server's PGDATA>.");
  const home = dataDirectory === undefined ? await locateClusterHome(env.dataDir) : undefined;
  const pgData = home ? path.join(home.path, 'data') : path.resolve(dataDirectory!);
  await settleSwap(pgData);
  // On a machine of which all was lost there is nothing to put aside.
  if (home && !existsSync(pgData)) return { place: { kind: 'new', directory: pgData, account: home.account }, home };
  assertReplaceable(pgData);
  return { place: { kind: 'in-place', pgData }, ...(home && { home }) };
}

/** Those that Tenantry will sign in with. */
function passwordsOfNow(env: BackupEnv): Partial<Record<LoginPurpose, string>> {
  const urls = env.url === undefined ? keptLoginUrls(env.dataDir) : readLoginUrls();
  const passwords: Partial<Record<LoginPurpose, string>> = {};
  for (const [purpose, url] of Object.entries(urls) as [LoginPurpose, string][]) {
    const { user, password } = readPostgresUrl(url) ?? {};
    if (user === LOGINS[purpose].name && password) passwords[purpose] = password;
  }
  return passwords;
}
