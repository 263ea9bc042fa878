import type { BackupEnv } from '../config/backup-env';
import { backupUrlOf } from './backup-login';
import type { BackupEngine } from './engine';
import { ExternalEngine } from './external/external-engine';
import { NativeEngine } from './native/native-engine';
import { PgBackRestEngine } from './pgbackrest/pgbackrest-engine';
import { openNotes } from './repository/open-notes';

/** The engine of the configuration. @throws StartupError when it lacks something */
export function openEngine(env: BackupEnv): BackupEngine {
  const { engine, refusesPlainText } = env;
  switch (engine.name) {
    case 'native':
      return NativeEngine.open(env);
    case 'pgbackrest':
      return PgBackRestEngine.open(engine, openNotes(env));
    case 'external':
      return new ExternalEngine({ scratchUrl: engine.scratchUrl, liveUrl: () => backupUrlOf(env), refusesPlainText });
  }
}
