import { isUUID } from 'class-validator';
import type { Command } from 'commander';
import type { RestoreMode, RestoreResult, RestoreStep } from '../backups/tenant-restores/tenant-restore';
import { RestoreConnections, TenantRestoreJob } from '../backups/tenant-restores/tenant-restore-job';
import type { RestoreRecord } from '../backups/tenant-restores/tenant-restore-records';
import { undoRestore } from '../backups/tenant-restores/undo-restore';
import { NotFoundError, StartupError } from '../common/errors';
import { readBackupEnv } from '../config/backup-env';
import type { TableDifference } from '../database/tenant-rows';
import { assertConfirmed } from './confirmation';
import { untilInterrupted } from './interruption';
import { print } from './print';
import { ProgressLine } from './progress-line';
import { timeOf } from './restore-target';
import { columns } from './terminal-text';

interface Options {
  at?: string;
  into?: string;
  inPlace?: true;
  undo?: string;
  force?: true;
  yes?: true;
  json?: true;
}

const HELP = `
Without --into or --in-place nothing is changed: it shows, table by table, how
the tenant differs between then and now.

--into makes a new tenant beside the one there is, suspended at first. --in-place
replaces the tenant's rows in one transaction; only its own writes wait for it.
The tenant's own row, its audit trail and people's accounts stay as they are.
What is replaced is kept for TENANT_RESTORE_UNDO_DAYS (7), for --undo.

A tenant that is purged is named by its id (it stands in the audit trail).

Examples:
  npm run tenantry -- tenant restore acme --at 2026-11-23T10:15:00Z
  npm run tenantry -- tenant restore acme --at 2026-11-23T10:15:00Z --into acme-monday
  npm run tenantry -- tenant restore acme --at 2026-11-23T10:15:00Z --in-place
  npm run tenantry -- tenant restores acme
  npm run tenantry -- tenant restore --undo 0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e01`;

const SLUG = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const MAX_LISTED = 100;
const STEP_UNITS: Partial<Record<RestoreStep, 'bytes' | 'files'>> = { files: 'bytes', log: 'bytes', rows: 'files' };

/** @param tenant the group of commands about one tenant */
export function registerTenantRestoreCommands(tenant: Command): void {
  tenant
    .command('restore [tenant]')
    .description('Restores one tenant (slug or id) to a moment, while all others go on.')
    .option('--at <time>', 'to this moment, such as 2026-11-23T10:15:00Z')
    .option('--into <slug>', 'into a new tenant of this slug, beside the one there is')
    .option('--in-place', 'in the place of what the tenant has now')
    .option('--undo <restore>', 'takes a restore in place back')
    .option('--force', 'with --undo: though what was written since is lost')
    .option('--yes', 'does not ask')
    .option('--json', 'as JSON, for programs')
    .addHelpText('after', HELP)
    .action(restore);
  tenant
    .command('restores <tenant>')
    .description('Lists the restores of a tenant, the newest first.')
    .option('--json', 'as JSON, for programs')
    .action(listRestores);
}

async function restore(name: string | undefined, options: Options): Promise<void> {
  if (options.undo !== undefined) return undo(options.undo, options);
  if (name === undefined) throw new StartupError('Say which tenant, by its slug or its id.');
  if (options.at === undefined) throw new StartupError('Say to which moment: --at <time>.');
  const at = timeOf(options.at);
  const mode = modeOf(options);
  await withConnections(async (connections) => {
    const tenantId = await idOf(connections, name);
    const request = {
      tenantId,
      tenantSlug: name,
      at,
      mode,
      intoSlug: options.into,
      requester: { type: 'system' } as const,
    };
    await connections.tidyUp();
    const job = await TenantRestoreJob.begin(connections, request);
    const progress = new StepProgress(options.json !== true);
    const confirm = async (result: RestoreResult): Promise<void> => {
      progress.end();
      if (!options.json) tell(name, at, result);
      if (!options.yes)
        await assertConfirmed(mode === 'in-place' ? 'Replace what is there now?' : 'Make the new tenant?');
    };
    const result = await untilInterrupted((signal) =>
      job.run({ signal, confirm, onProgress: (step, done, total) => progress.show(step, done, total) }),
    ).finally(() => progress.end());
    if (options.json) return print(JSON.stringify({ id: job.id, tenantId, at, mode, ...result }, null, 2));
    if (mode === 'dry-run') {
      tell(name, at, result);
      return print('Nothing was changed. To restore it: --into <slug> (beside), or --in-place.');
    }
    if (mode === 'side-by-side')
      return print(
        `Restored as ${options.into} (${result.intoTenantId}). It is suspended: POST /v1/tenants/{tenantId}/resume opens it.`,
      );
    print(
      `Restored. Until ${result.undoUntil?.toISOString()} it can be taken back: tenantry tenant restore --undo ${job.id}`,
    );
  });
}

async function undo(id: string, { force, yes, json }: Options): Promise<void> {
  if (!isUUID(id))
    throw new StartupError('--undo takes the id of a restore; tenantry tenant restores <tenant> lists them.');
  await withConnections(async ({ writer }) => {
    if (!yes) await assertConfirmed(`Take the restore ${id} back?`);
    const lost = await undoRestore(writer, id, { requester: { type: 'system' }, force: force === true });
    if (json) return print(JSON.stringify({ id, status: 'undone', lost }, null, 2));
    print('What the restore had replaced is there again.');
  });
}

async function listRestores(name: string, { json }: { json?: true }): Promise<void> {
  await withConnections(async (connections) => {
    const restores = await connections.records.list(await idOf(connections, name), MAX_LISTED);
    if (json) return print(JSON.stringify(restores, null, 2));
    if (restores.length === 0) return print('There is no restore of this tenant.');
    for (const line of columns(['RESTORE', 'MADE', 'OF', 'MODE', 'STATUS', 'UNDO UNTIL'], restores.map(rowOf)))
      print(line);
  });
}

function rowOf({ id, createdAt, at, mode, intoSlug, status, errorCode, undoUntil }: RestoreRecord): string[] {
  return [
    id,
    createdAt.toISOString(),
    at.toISOString(),
    intoSlug === null ? mode : `${mode} as ${intoSlug}`,
    errorCode === null ? status : `${status} (${errorCode})`,
    undoUntil && undoUntil > new Date() ? undoUntil.toISOString() : '-',
  ];
}

async function withConnections(work: (connections: RestoreConnections) => Promise<void>): Promise<void> {
  const connections = await RestoreConnections.open(readBackupEnv());
  try {
    await work(connections);
  } finally {
    await connections.close();
  }
}

/** @throws NotFoundError when there is no tenant of this slug */
async function idOf({ records }: RestoreConnections, name: string): Promise<string> {
  if (isUUID(name)) return name.toLowerCase();
  const id = await records.tenantIdOf(name);
  if (id === undefined) throw new NotFoundError(`tenant: ${name}`);
  return id;
}

function modeOf({ into, inPlace }: Options): RestoreMode {
  if (into !== undefined && inPlace) throw new StartupError('--into and --in-place exclude each other.');
  if (into !== undefined && !SLUG.test(into))
    throw new StartupError(
      '--into takes a slug: 1 to 63 of a-z, 0-9 and -, beginning and ending with a letter or digit.',
    );
  if (inPlace) return 'in-place';
  return into === undefined ? 'dry-run' : 'side-by-side';
}

function tell(name: string, at: Date, { difference, findings }: RestoreResult): void {
  print(`${name} at ${at.toISOString()}, beside what it is now:`);
  const rows = difference.map(({ table, onlyThen, onlyNow, changed, same }: TableDifference) =>
    [table, onlyThen, onlyNow, changed, same].map(String),
  );
  for (const line of columns(['TABLE', '>ONLY THEN', '>ONLY NOW', '>CHANGED', '>SAME'], rows)) print(`  ${line}`);
  for (const { blocks, message } of findings) print(`  ${blocks ? 'IN THE WAY' : 'NOTE'}: ${message}`);
}

/** A line for each step; on a terminal alone. */
class StepProgress {
  private step: RestoreStep | undefined;
  private line: ProgressLine | undefined;

  constructor(private readonly isWanted: boolean) {}

  show(step: RestoreStep, done: number, total: number): void {
    if (step !== this.step) {
      this.end();
      this.step = step;
      this.line = new ProgressLine(step, this.isWanted && STEP_UNITS[step] !== undefined, STEP_UNITS[step] ?? 'files');
    }
    this.line?.show(done, total);
  }

  end(): void {
    this.line?.end();
  }
}
