import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

/**
 * Stands between an application and its PostgreSQL, and can become a black hole: bytes vanish, connections stay open, nothing
 * is refused. So a network behaves that drops packets.
 */
export class SocketProxy {
  private readonly directory = mkdtempSync(path.join(tmpdir(), 'tenantry-proxy-'));
  private readonly sockets = new Set<Socket>();
  private frozen = false;

  private constructor(
    private readonly target: string,
    private readonly server: Server,
  ) {}

  /** @param url whose `?host=` is the directory of the server's socket */
  static async before(url: string): Promise<SocketProxy> {
    const target = path.join(new URL(url).searchParams.get('host')!, '.s.PGSQL.5432');
    const server = createServer();
    const proxy = new SocketProxy(target, server);
    server.on('connection', (socket) => proxy.accept(socket));
    await new Promise<void>((resolve) => server.listen(path.join(proxy.directory, '.s.PGSQL.5432'), resolve));
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

  /** What was sent meanwhile is lost, and with it the connections that sent it. */
  thaw(): void {
    this.frozen = false;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
    rmSync(this.directory, { recursive: true, force: true });
  }

  private accept(client: Socket): void {
    const server = connect(this.target);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.sockets.add(from);
      let lost = false;
      from.on('data', (bytes) => {
        lost ||= this.frozen;
        if (!lost) to.write(bytes);
      });
      from.on('error', () => undefined);
      from.on('close', () => {
        this.sockets.delete(from);
        if (!this.frozen) to.destroy();
      });
    }
  }
}
