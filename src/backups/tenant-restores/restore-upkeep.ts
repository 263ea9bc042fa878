import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { BusyError } from '../../common/errors';
import type { BackupEnv } from '../../config/backup-env';
import { forgetRows } from '../../database/tenant-rows';
import type { TenantWriter } from '../../database/tenant-writer';
import { RestoringDirectory } from '../restoring-directory';
import type { TenantRestoreRecords } from './tenant-restore-records';
import { scratchOf } from './tenant-source';

const RESTORES_PER_RUN = 100;
const SCRATCH = /^(tenant-[0-9a-f-]{36})\.restoring\./;

/** Removes what killed processes have left, and rows whose undo has expired. @returns of how many restores rows were removed */
export async function tidyUp(env: BackupEnv, records: TenantRestoreRecords, writer: TenantWriter): Promise<number> {
  await records.closeLost();
  await sweepScratch(env);
  const superfluous = await records.superfluous(RESTORES_PER_RUN);
  for (const { id, tenantId } of superfluous) await writer.run(tenantId, (tx) => forgetRows(tx, id));
  return superfluous.length;
}

async function sweepScratch(env: BackupEnv): Promise<void> {
  const scratch = await scratchOf(env);
  if (!existsSync(scratch)) return;
  for (const name of new Set(readdirSync(scratch).flatMap((entry) => SCRATCH.exec(entry)?.[1] ?? []))) {
    try {
      await RestoringDirectory.prepare(path.join(scratch, name), 0);
    } catch (error) {
      if (!(error instanceof BusyError)) throw error; // a restore is at work in it
    }
  }
}
