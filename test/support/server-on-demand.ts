import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { makeTestDirectory, removeTestDirectory } from './test-directory';
import { startTestServer, type TestServer } from './test-server';

/**
 * The jest process owns the server and starts it when the first spec asks, so that a run of unit specs needs none,
 * however it was selected. Workers ask over loopback HTTP; the address, with a secret in it, stands in their environment.
 */
export class ServerOnDemand {
  /** Of the whole run. */
  readonly directory = makeTestDirectory();
  private running: ReturnType<typeof startTestServer> | undefined;
  private stopping: Promise<void> | undefined;

  private constructor(private readonly door: Server) {}

  /** @returns it, and the URL at which workers ask */
  static async open(): Promise<{ onDemand: ServerOnDemand; url: string }> {
    const secret = `/${randomBytes(16).toString('hex')}`;
    const door = createServer((request, response) => {
      response.setHeader('connection', 'close'); // a kept connection would keep a worker alive
      if (request.url !== secret) return response.writeHead(404).end();
      onDemand.coordinates().then(
        (coordinates) => response.end(JSON.stringify(coordinates)),
        (error: Error) => response.writeHead(500).end(error.stack),
      );
    });
    const onDemand = new ServerOnDemand(door);
    await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
    door.unref();
    return { onDemand, url: `http://127.0.0.1:${(door.address() as AddressInfo).port}${secret}` };
  }

  /** Stops and removes everything. The second call does nothing more. */
  stop(): Promise<void> {
    return (this.stopping ??= this.shutDown());
  }

  /** For a process that ends without having stopped. */
  removeNow(): void {
    removeTestDirectory(this.directory);
  }

  private async coordinates(): Promise<TestServer> {
    if (this.stopping) throw new Error('The test run is stopping.');
    this.running ??= startTestServer(this.directory);
    return (await this.running).coordinates;
  }

  private async shutDown(): Promise<void> {
    this.door.close();
    try {
      await (await this.running)?.stop();
    } finally {
      this.removeNow();
    }
  }
}
