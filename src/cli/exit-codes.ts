import { BackupDamagedError, NotOfThisEngineError, OutsideCoverageError } from '../backups/engine';
import { WalMismatchError } from '../backups/native/wal-archive';
import { RecoveryStoppedError } from '../backups/recovery-stopped';
import { MissingFileError, RepositoryFailedError } from '../backups/repository/repository';
import { TenantRestoreError } from '../backups/tenant-restores/tenant-restore';
import { ArchiveRefusedError } from '../backups/tenant-archives/archive-format';
import { ImportConflictError } from '../backups/tenant-archives/import-plan';
import { BusyError, DomainError, InvalidInputError, NotFoundError, StartupError } from '../common/errors';
import { RecoveryFailedError } from '../database/recovery-server';
import { TenantBusyError } from '../database/tenant-writer';
import { InterruptedError } from './interruption';

/** What every command of Tenantry ends with; EXIT_CODES_HELP says it to people. */
export const EXIT = {
  done: 0,
  failed: 1,
  misused: 2,
  busy: 3,
} as const;

export const EXIT_CODES_HELP = `
Exit code:
  0  done
  1  it failed, or what was looked at is damaged or degraded
  2  misused, wrongly configured, or answered with no: nothing was done
  3  something else is in the way, such as a running server: nothing was done`;

type ErrorType = abstract new (...args: never[]) => Error;

/** Each says in its message all that a person needs. */
const MISUSED: readonly ErrorType[] = [
  StartupError,
  OutsideCoverageError,
  NotOfThisEngineError,
  InvalidInputError,
  NotFoundError,
];
const BUSY: readonly ErrorType[] = [BusyError, TenantBusyError];
const FAILED: readonly ErrorType[] = [
  ArchiveRefusedError,
  ImportConflictError,
  BackupDamagedError,
  RecoveryFailedError,
  RecoveryStoppedError,
  TenantRestoreError,
  InterruptedError,
  WalMismatchError,
  RepositoryFailedError,
  MissingFileError,
  DomainError,
];
/** Of the operating system: there is no room, or no right. */
const IN_WORDS = new Set(['ENOSPC', 'EDQUOT', 'EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ECONNREFUSED']);

const isOne = (types: readonly ErrorType[], error: unknown): boolean => types.some((type) => error instanceof type);

export function exitCodeOf(error: unknown): number {
  if (isOne(BUSY, error)) return EXIT.busy;
  return isOne(MISUSED, error) ? EXIT.misused : EXIT.failed;
}

/** What to say of an error: its message; of one that nobody has foreseen where it came from, too. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const isForeseen =
    isOne([...BUSY, ...MISUSED, ...FAILED], error) || IN_WORDS.has((error as NodeJS.ErrnoException).code ?? '');
  return isForeseen ? error.message : (error.stack ?? error.message);
}
