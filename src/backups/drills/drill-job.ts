import { Logger } from '@nestjs/common';
import { BusyError } from '../../common/errors';
import type { BackupEnv } from '../../config/backup-env';
import type { BackupSession } from '../../database/backup-session';
import { failureOf } from '../backup-job';
import { openBackupSession } from '../backup-login';
import { scratchDirectory } from '../scratch-directory';
import { type DrillOptions, runDrill } from './drill';
import { DrillCatalogue } from './drill-catalogue';
import { noteDrill } from './drill-notes';
import type { DrillReport } from './drill-report';

/** Of the database: one drill at a time, wherever it runs. */
const LOCK = 'tenantry:drill';
const logger = new Logger('Backups');

/**
 * One drill, whole: run, and what it has shown kept in the repository and in ops.restore_drills. The database may be away: a drill
 * does not need it.
 * @throws BusyError while another one runs; what `signal` was aborted with
 */
export async function runDrillJob(env: BackupEnv, options: Omit<DrillOptions, 'scratch'>): Promise<DrillReport> {
  const session = await openBackupSession(env).catch(() => undefined);
  try {
    if (session && !(await session.tryLock(LOCK))) throw new BusyError('A drill is under way. Nothing was done.');
    const report = await runDrill({ ...options, scratch: await scratchDirectory(env) });
    await unlessItFails('the repository', () => noteDrill(options.notes, report));
    await unlessItFails('ops.restore_drills', () => record(env, session, report));
    return report;
  } finally {
    await session?.end();
  }
}

/** A drill may last for hours, and the connection may be gone by then. */
async function record(env: BackupEnv, session: BackupSession | undefined, report: DrillReport): Promise<void> {
  if (session && !session.lost.aborted) return new DrillCatalogue(session).add(report);
  const another = await openBackupSession(env);
  try {
    await new DrillCatalogue(another).add(report);
  } finally {
    await another.end();
  }
}

async function unlessItFails(place: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    logger.warn(`What a drill has shown is not kept in ${place}: ${failureOf(error)}`);
  }
}
