import type { Finding } from '../database/cluster-verification';

/** What verification finds, or that rows are not as they were at the backup's verification point. */
export type RecoveryFinding = Omit<Finding, 'check'> & { check: Finding['check'] | 'rows' };

/** The steps of a recovery, in their order. */
export const RECOVERY_STEPS = [
  'restore',
  'verify',
  'logins',
  'migrate',
  'verify-again',
  'erase-again',
  'finish',
] as const;
export type RecoveryStep = (typeof RECOVERY_STEPS)[number];

/** A step of a recovery has found what must not serve. Nothing was swapped, and what was restored is kept for a look. */
export class RecoveryStoppedError extends Error {
  /**
   * @param findings what is wrong; empty: `cause` says it
   * @param directory where what was restored lies now; undefined: it is not ours
   */
  constructor(
    readonly step: RecoveryStep,
    readonly findings: readonly RecoveryFinding[],
    readonly directory: string | undefined,
    options?: { cause: Error },
  ) {
    const reasons = findings.map(
      ({ check, database, problem }) => `  NOT RIGHT (${[check, database].filter(Boolean).join(', ')}): ${problem}`,
    );
    super(
      [
        `The step "${step}" has failed, so nothing was swapped and what serves now was not touched.`,
        ...(options ? [`  ${options.cause.message}`] : []),
        ...reasons,
        ...(directory === undefined
          ? []
          : [`What was restored is not fit to serve. It is kept for a look: ${directory}`]),
      ].join('\n'),
      options,
    );
    this.name = 'RecoveryStoppedError';
  }
}
