import type { BackupSession } from '../../database/backup-session';
import type { CatalogueReader } from '../backup-catalogue';
import type { DrillReport } from './drill-report';

/** Drills are known for so long. */
const KEPT_DAYS = 400;

/** What the newest drills have shown, for metrics and health. */
export interface DrillOverview {
  /** null: there has been none. */
  newest: Omit<DrillReport, 'report'> | null;
  lastSuccessAt: Date | null;
}

const COLUMNS = `id, status, started_at AS "startedAt", finished_at AS "finishedAt", engine, instance, backup_id AS "backupId",
  replayed_to AS "replayedTo", rto_seconds AS "rtoSeconds", rpo_seconds AS "rpoSeconds", compared_entries AS "comparedEntries",
  mismatched_entries AS "mismatchedEntries", corrupt_objects AS "corruptObjects"`;

/** `ops.restore_drills`, under the backup login. */
export class DrillCatalogue {
  constructor(private readonly session: BackupSession) {}

  async add(drill: DrillReport): Promise<void> {
    await this.session.query(
      `INSERT INTO ops.restore_drills (id, status, started_at, finished_at, engine, instance, backup_id, replayed_to, rto_seconds,
         rpo_seconds, compared_entries, mismatched_entries, corrupt_objects, report)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
      [
        drill.id,
        drill.status,
        drill.startedAt,
        drill.finishedAt,
        drill.engine,
        drill.instance,
        drill.backupId,
        drill.replayedTo,
        drill.rtoSeconds,
        drill.rpoSeconds,
        drill.comparedEntries,
        drill.mismatchedEntries,
        drill.corruptObjects,
        JSON.stringify(drill.report),
      ],
    );
    await this.session.query(`DELETE FROM ops.restore_drills WHERE started_at < now() - interval '1 day' * $1`, [
      KEPT_DAYS,
    ]);
  }
}

export async function readDrills(reader: CatalogueReader): Promise<DrillOverview> {
  const [newest] = await reader.query<NonNullable<DrillOverview['newest']>>(
    `SELECT ${COLUMNS} FROM ops.restore_drills ORDER BY started_at DESC LIMIT 1`,
  );
  const [success] = await reader.query<{ at: Date | null }>(
    `SELECT max(started_at) AS at FROM ops.restore_drills WHERE status = 'succeeded'`,
  );
  return { newest: newest ?? null, lastSuccessAt: success?.at ?? null };
}
