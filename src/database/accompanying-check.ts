import type { BatchStatement } from './statement-batch';

/** A row as PostgreSQL's own texts, so that two answers can be compared exactly; undefined: there is none. */
export type Answer = readonly (string | null)[] | undefined;

export function isSameAnswer(one: Answer, other: Answer): boolean {
  if (!one || !other) return one === other;
  return one.length === other.length && one.every((text, at) => text === other[at]);
}

/** The answer was another one than expected: what was done in its belief must not be told to anybody. */
export class OutdatedError extends Error {}

/**
 * A question whose answer is known from before, and must be the same still. It goes along with the first statement of a
 * request, in the same round trip; nothing is answered and nothing written before it is settled
 * (http/settled-rights.ts).
 */
export class AccompanyingCheck {
  private state: 'open' | 'passed' | 'failed' = 'open';

  /** @param ask in a round trip of its own */
  constructor(
    readonly tenantId: string,
    readonly statement: BatchStatement,
    private readonly expected: Answer,
    private readonly ask: () => Promise<Answer>,
  ) {}

  get isOpen(): boolean {
    return this.state === 'open';
  }

  get hasPassed(): boolean {
    return this.state === 'passed';
  }

  get hasFailed(): boolean {
    return this.state === 'failed';
  }

  /** @throws OutdatedError when the answer is another one */
  settle(answer: Answer): void {
    if (this.hasFailed || !isSameAnswer(answer, this.expected)) {
      this.state = 'failed';
      throw new OutdatedError('What was known of the caller is so no more.');
    }
    this.state = 'passed';
  }

  /** Asks now, if no statement has taken it along yet. @throws OutdatedError when the answer is another one */
  async settleNow(): Promise<void> {
    if (this.state === 'passed') return;
    this.settle(this.hasFailed ? undefined : await this.ask());
  }
}
