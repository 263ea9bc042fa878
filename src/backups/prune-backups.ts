import type { BackupCatalogue } from './backup-catalogue';
import type { BackupEngine, RetentionRules } from './engine';

/**
 * Removes what nothing needs. The newest backup that a drill has passed is kept, whatever the rules say: where the newer ones turn
 * out to be bad, there is one that is known to be good.
 * @param catalogue undefined: no database can be asked which one that is
 */
export async function pruneBackups(
  engine: BackupEngine,
  catalogue: BackupCatalogue | undefined,
  retention: RetentionRules,
  { dryRun }: { dryRun: boolean },
): Promise<{ backups: string[]; files: number }> {
  const proved = await catalogue?.newestProvedBackup();
  return engine.prune(retention, { dryRun, isProtected: ({ id }) => id === proved });
}
