import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { StartupError } from '../common/errors';
import { Env } from '../config/env';
import { carriesToken } from './metrics-token';
import { METRICS_CONTENT_TYPE, MetricsService } from './metrics.service';

/** The metrics at a port of their own (METRICS_PORT), which an operator need not let the world reach. */
@Injectable()
export class MetricsServer implements OnApplicationBootstrap, OnApplicationShutdown {
  private server: Server | undefined;

  constructor(
    private readonly env: Env,
    private readonly metrics: MetricsService,
  ) {}

  /** Of several workers none: their primary listens, for all of them. @throws StartupError as listen() */
  async onApplicationBootstrap(): Promise<void> {
    if (this.env.workerNumber === undefined) await this.listen();
  }

  /** Unless METRICS_PORT is unset. @throws StartupError when the port is taken */
  async listen(): Promise<void> {
    const { METRICS_PORT, HOST } = this.env;
    if (METRICS_PORT === undefined) return;
    this.server = createServer((request, response) => void this.answer(request, response));
    this.server.listen(METRICS_PORT, HOST);
    try {
      await once(this.server, 'listening');
    } catch (error) {
      const { message } = error as Error;
      throw new StartupError(`The metrics cannot be served: ${message}\nSet METRICS_PORT to a free one.`, {
        cause: error,
      });
    }
  }

  onApplicationShutdown(): void {
    this.close();
  }

  close(): void {
    this.server?.close();
    this.server?.closeAllConnections();
  }

  /** Where it listens; undefined when it does not. */
  get port(): number | undefined {
    return (this.server?.address() as AddressInfo | null | undefined)?.port;
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const token = this.env.METRICS_TOKEN;
    if (request.method !== 'GET' || request.url?.split('?', 1)[0] !== '/metrics') {
      response.writeHead(404).end();
    } else if (token !== undefined && !carriesToken(request.headers.authorization, token)) {
      response.writeHead(401, { 'www-authenticate': 'Bearer' }).end();
    } else {
      const text = await this.metrics.read().catch(() => undefined);
      if (text === undefined) response.writeHead(500).end();
      else response.writeHead(200, { 'content-type': METRICS_CONTENT_TYPE, 'cache-control': 'no-store' }).end(text);
    }
  }
}
