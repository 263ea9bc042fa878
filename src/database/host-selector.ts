import { Logger } from '@nestjs/common';
import { UnavailableError } from '../common/errors';
import type { HostAddress } from '../common/postgres-url';
import type { ConnectionTarget } from './connection-string';
import { connectToFirst, nameOf } from './first-server';

/** While no host will do, they are asked again no more often than this. */
const RETRY_MS = 200;

/**
 * Knows which of a target's hosts connections go to now. With several hosts, or where the target asks for a certain kind of
 * server, the hosts are asked in their order, over connections of their own; the answer holds until a connection fails.
 */
export class HostSelector {
  private readonly logger = new Logger('Database');
  /** Nothing to choose: the one host is what it is. */
  private readonly isFixed: boolean;
  private known: HostAddress | undefined;
  private last: HostAddress;
  private search: Promise<void> | undefined;

  /** @param timeoutMs of one search, all hosts together */
  constructor(
    readonly target: ConnectionTarget,
    private readonly timeoutMs: number,
  ) {
    this.last = target.hosts[0]!;
    this.isFixed = target.hosts.length === 1 && target.sessionAttributes === 'any';
    if (this.isFixed) this.known = this.last;
  }

  /** Where a new connection goes: the host found last, even while it is in doubt. */
  get current(): HostAddress {
    return this.last;
  }

  /** Must find() be awaited before a connection is made? */
  get isInDoubt(): boolean {
    return this.known === undefined;
  }

  /**
   * Finds the host. Whoever asks at the same time, or shortly after a search that failed, shares its outcome.
   * @throws UnavailableError when no host will do
   */
  find(): Promise<void> {
    if (this.known) return Promise.resolve();
    this.search ??= this.ask();
    return this.search;
  }

  /** A connection to this host has failed, or the server takes no writes: the next caller asks anew. */
  doubt(address: HostAddress): void {
    if (!this.isFixed && this.known === address) this.known = undefined;
  }

  /** Has another host been found since this one was connected to? */
  isSuperseded(address: HostAddress): boolean {
    return this.known !== undefined && this.known !== address;
  }

  private async ask(): Promise<void> {
    try {
      const { client, address } = await connectToFirst(this.target, this.timeoutMs, 'tenantry-host-search');
      void client.end().catch(() => undefined);
      if (address !== this.last) this.logger.log(`${this.target.variable}: connections go to ${nameOf(address)} now.`);
      this.known = this.last = address;
      this.search = undefined;
    } catch (error) {
      setTimeout(() => (this.search = undefined), RETRY_MS).unref();
      throw new UnavailableError('database_unavailable', 'The database cannot be reached. Try again.', 2, {
        cause: error,
      });
    }
  }
}
