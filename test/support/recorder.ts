import type { OpenAPIObject } from '@nestjs/swagger';
import { Contract, type Exchange } from './contract';

const MAX_BODY_LENGTH = 1_500;

/** Remembers every request of a suite with its answer, and holds each answer against the OpenAPI document at once. */
export class Recorder {
  readonly contract: Contract;
  readonly exchanges: Exchange[] = [];
  private readonly unsent = new Set<{ place: string }>();

  constructor(document: OpenAPIObject) {
    this.contract = new Contract(document);
  }

  /** @throws Error saying in what the answer differs from the document */
  record(answer: Omit<Exchange, 'route'>): void {
    const exchange = { ...answer, route: this.contract.routeOf(answer.method, answer.path) };
    this.exchanges.push(exchange);
    const faults = this.contract.faultsOf(exchange);
    if (faults.length === 0) return;
    const body = answer.body === undefined ? '' : `\n${JSON.stringify(answer.body, null, 2).slice(0, MAX_BODY_LENGTH)}`;
    throw new Error(
      `The answer is not as the OpenAPI document says:\n${faults.map((fault) => `  - ${fault}`).join('\n')}\n\n` +
        `${answer.method} ${answer.path} answered ${answer.status} ${answer.contentType ?? 'without a body'}${body}`,
    );
  }

  /** A call has been made; it is not sent before somebody awaits it. */
  callMade(call: string): { awaited(): void } {
    const entry = { place: `${call}${callerOf(new Error().stack)}` };
    this.unsent.add(entry);
    return { awaited: () => void this.unsent.delete(entry) };
  }

  /** @throws Error naming the calls that nobody has awaited: they were never sent, and so tested nothing */
  assertAllAwaited(): void {
    if (this.unsent.size === 0) return;
    throw new Error(`These calls lack an await:\n${[...this.unsent].map(({ place }) => place).join('\n')}`);
  }
}

function callerOf(stack = ''): string {
  const line = stack.split('\n').find((candidate) => /-spec\.ts:\d+/.test(candidate));
  return line ? ` (${line.trim()})` : '';
}
