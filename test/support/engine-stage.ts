import type { BackupEngine, Moment } from '../../src/backups/engine';
import type { SealedNotes } from '../../src/backups/repository/sealed-notes';

/** A server with a table of numbers and an engine that brings its moments back: what the contract of every engine is tried on. */
export interface EngineStage {
  readonly engine: BackupEngine;
  /** Restored clusters are the engine's own: it takes the backups, and starts, stops and removes what it restores. */
  readonly restoresItself: boolean;
  /** What lies in our own repository. */
  readonly notes: SealedNotes;
  /** Of the backup login. */
  readonly backupUrl: string;
  /** Commits a number. @returns a moment after it and before whatever comes next, by the server's clock */
  write(number: number): Promise<Date>;
  /** Waits until the log is stored up to a moment. */
  stored(at: Date): Promise<void>;
  /** What somebody else has to do before the engine can bring a moment back; nothing where it restores itself. */
  offer(moment: Moment): Promise<void>;
  /** Of a data directory that does not exist yet. */
  newTarget(): string;
  /** What restores have left beside and in their directories. */
  leftovers(): string[];
  end(): Promise<void>;
}

/** With an engine that has backups of its own. */
export interface BackupStage extends EngineStage {
  readonly restoresItself: true;
  /** Flips a bit in a backup. @returns puts it right */
  damage(backupId: string): () => void;
  /** Takes the newest segment of the log that lies whole in the repository but one away. @returns puts it back */
  loseSegment(): () => void;
}
