import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const PROBE_INTERVAL_MS = 200;
/** A probe that takes longer counts as failed; generous, the machine is busy. */
const PROBE_TIMEOUT_MS = 5_000;

interface Instance {
  url: string;
  isReady: boolean;
}

/**
 * What stands before several instances in production, made small: round robin over those that say they are ready, connections
 * kept alive, nothing repeated. An instance is in or out by its last probe; one that fails between two probes costs requests.
 */
export class LoadBalancer {
  private readonly agent = new Agent({ keepAlive: true });
  private readonly instances: Instance[];
  private readonly timer: NodeJS.Timeout;
  private next = 0;

  private constructor(
    private readonly server: Server,
    urls: readonly string[],
  ) {
    this.instances = urls.map((url) => ({ url, isReady: false }));
    server.on('request', (incoming: IncomingMessage, outgoing: ServerResponse) => this.pass(incoming, outgoing));
    this.timer = setInterval(() => void this.probe(), PROBE_INTERVAL_MS);
  }

  /** @param urls of the instances, whether they run yet or not */
  static async before(urls: readonly string[]): Promise<LoadBalancer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const balancer = new LoadBalancer(server, urls);
    await balancer.probe();
    return balancer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Does it send requests to this instance? */
  uses(url: string): boolean {
    return this.instances.some((instance) => instance.url === url && instance.isReady);
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
    this.agent.destroy();
  }

  private async probe(): Promise<void> {
    await Promise.all(
      this.instances.map(async (instance) => {
        const signal = AbortSignal.timeout(PROBE_TIMEOUT_MS);
        const headers = { connection: 'close' };
        instance.isReady = await fetch(`${instance.url}/health/ready`, { headers, signal }).then(
          ({ status }) => status === 200,
          () => false,
        );
      }),
    );
  }

  private pass(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const ready = this.instances.filter(({ isReady }) => isReady);
    const instance = ready[(this.next += 1) % ready.length];
    const fail = (): void => void (outgoing.headersSent ? outgoing.destroy() : outgoing.writeHead(502).end('{}'));
    if (!instance) return fail();
    const { method, headers, url } = incoming;
    const onward = request(`${instance.url}${url}`, { method: method!, headers, agent: this.agent }, (answer) => {
      const { connection: _, ...kept } = answer.headers; // between the two of us
      outgoing.writeHead(answer.statusCode!, kept);
      answer.pipe(outgoing);
      answer.on('error', fail);
    });
    onward.on('error', fail);
    incoming.pipe(onward);
  }
}
