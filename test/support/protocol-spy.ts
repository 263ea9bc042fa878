import type { Socket } from 'node:net';
import { SocketProxy } from './socket-proxy';

/** What went over the wire since it was last forgotten. */
export interface Traffic {
  /** Bytes that the client handed over at once. */
  writes: number;
  /** ReadyForQuery: each ends a round trip. */
  roundTrips: number;
  /** The statements' texts, as Parse and Query have them: of those prepared earlier, none. */
  statements: string[];
  /** How often a statement was run. */
  executes: number;
}

/** Reads the messages between an application and its PostgreSQL (manual, 54.7) and counts them; it changes none. */
export class ProtocolSpy {
  private traffic: Traffic = { writes: 0, roundTrips: 0, statements: [], executes: 0 };
  private readonly unread = new Map<Socket, Buffer>();
  private readonly greeted = new Set<Socket>();

  private constructor(private proxy?: SocketProxy) {}

  static async before(url: string): Promise<ProtocolSpy> {
    const spy = new ProtocolSpy();
    spy.proxy = await SocketProxy.before(url, (from, by, bytes) => spy.note(from, by, bytes));
    return spy;
  }

  urlOf(url: string): string {
    return this.proxy!.urlOf(url);
  }

  /** What `work` sends and receives. */
  async during(work: () => Promise<unknown>): Promise<Traffic> {
    const traffic = (this.traffic = { writes: 0, roundTrips: 0, statements: [], executes: 0 });
    await work();
    return traffic;
  }

  /** Ends all connections without a word; new ones are taken. */
  async cut(): Promise<void> {
    await this.proxy!.refuse();
    await this.proxy!.listen();
  }

  close(): Promise<void> {
    return this.proxy!.close();
  }

  private note(from: 'client' | 'server', socket: Socket, bytes: Buffer): void {
    if (from === 'client') this.traffic.writes += 1;
    let rest = Buffer.concat([this.unread.get(socket) ?? Buffer.alloc(0), bytes]);
    if (from === 'client' && !this.greeted.has(socket)) {
      this.greeted.add(socket);
      rest = rest.subarray(rest.readInt32BE(0)); // the startup message has no type
    }
    while (rest.length >= 5 && rest.length > rest.readInt32BE(1)) {
      const end = rest.readInt32BE(1) + 1;
      this.read(from, String.fromCharCode(rest[0]!), rest.subarray(5, end));
      rest = rest.subarray(end);
    }
    this.unread.set(socket, rest);
  }

  private read(from: 'client' | 'server', type: string, body: Buffer): void {
    const [first = '', second = ''] = body.toString().split('\0');
    if (from === 'server') {
      if (type === 'Z') this.traffic.roundTrips += 1;
      return;
    }
    if (type === 'P') this.traffic.statements.push(second);
    if (type === 'Q') this.traffic.statements.push(first);
    if (type === 'E') this.traffic.executes += 1;
  }
}
