/** How often what happens; in milliseconds. Tests have less patience. */
export interface BackupTiming {
  /** From the start until backups are looked after: what starts briefly pays nothing, and a start is not made slower. */
  startDelayMs: number;
  /** Each instance tries to be elected, and reads how backups stand; the elected one looks what is due. */
  turnMs: number;
  /** The repository is looked at, at most. */
  surveyMs: number;
  /** After the first failure of a backup; doubled with each. */
  retryMs: number;
  /** What is stored of the log at the latest. */
  receiveEveryMs: number;
}

export const DEFAULT_TIMING: BackupTiming = {
  startDelayMs: 10_000,
  turnMs: 5_000,
  surveyMs: 60_000,
  retryMs: 60_000,
  receiveEveryMs: 60_000,
};
