import type { BackupEnv } from '../config/backup-env';
import type { BackupEngine } from './engine';
import { NativeEngine } from './native/native-engine';

/** The engine of the configuration. @throws StartupError when it lacks something */
export function openEngine(env: BackupEnv): BackupEngine {
  return NativeEngine.open(env);
}
