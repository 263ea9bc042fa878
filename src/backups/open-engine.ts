import type { BackupEnv } from '../config/backup-env';
import type { BackupEngine } from './engine';
import { NativeEngine } from './native/native-engine';
import { PgBackRestEngine } from './pgbackrest/pgbackrest-engine';
import { openNotes } from './repository/open-notes';

/** The engine of the configuration. @throws StartupError when it lacks something */
export function openEngine(env: BackupEnv): BackupEngine {
  if (env.engine.name === 'pgbackrest') return PgBackRestEngine.open(env.engine, openNotes(env));
  return NativeEngine.open(env);
}
