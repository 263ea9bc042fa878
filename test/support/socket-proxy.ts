import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

type Watcher = (from: 'client' | 'server', socket: Socket, bytes: Buffer) => void;

/**
 * Stands between an application and its PostgreSQL, and can become a black hole: bytes vanish, connections stay open, nothing
 * is refused. So a network behaves that drops packets. Or it refuses, as a machine does on which nothing listens.
 */
export class SocketProxy {
  private readonly directory = mkdtempSync(path.join(tmpdir(), 'tenantry-proxy-'));
  private readonly sockets = new Set<Socket>();
  /** Connections of which bytes were swallowed: no use to anybody any more. */
  private readonly broken = new Set<Socket>();
  private frozen = false;
  private server: Server | undefined;

  private constructor(
    private readonly target: string,
    private readonly watch: Watcher | undefined,
  ) {}

  /**
   * @param url whose `?host=` is the directory of the server's socket
   * @param watch sees all that passes
   */
  static async before(url: string, watch?: Watcher): Promise<SocketProxy> {
    const proxy = new SocketProxy(path.join(new URL(url).searchParams.get('host')!, '.s.PGSQL.5432'), watch);
    await proxy.listen();
    return proxy;
  }

  /** The same database through here. */
  urlOf(url: string): string {
    const through = new URL(url);
    through.searchParams.set('host', this.directory);
    return through.href;
  }

  freeze(): void {
    this.frozen = true;
  }

  /** What was sent meanwhile is lost, and with it the connections that sent it: their ends learn of it now. */
  thaw(): void {
    this.frozen = false;
    for (const socket of this.broken) socket.destroy();
    this.broken.clear();
  }

  /** Nothing listens here any more, and what was connected is cut. */
  async refuse(): Promise<void> {
    const { server } = this;
    if (!server) return;
    this.server = undefined;
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }

  async listen(): Promise<void> {
    if (this.server) return;
    const server = (this.server = createServer((socket) => this.accept(socket)));
    await new Promise<void>((resolve) => server.listen(path.join(this.directory, '.s.PGSQL.5432'), resolve));
  }

  async close(): Promise<void> {
    await this.refuse();
    rmSync(this.directory, { recursive: true, force: true });
  }

  private accept(client: Socket): void {
    const server = connect(this.target);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.sockets.add(from);
      from.on('data', (bytes) => {
        if (this.frozen) this.broken.add(from).add(to);
        if (!this.broken.has(from)) to.write(bytes);
        this.watch?.(from === client ? 'client' : 'server', from, bytes);
      });
      from.on('error', () => undefined);
      from.on('close', () => {
        this.sockets.delete(from);
        if (this.frozen) this.broken.add(to);
        else to.destroy();
      });
    }
  }
}
