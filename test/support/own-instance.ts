import { randomBytes } from 'node:crypto';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { readEnv } from '../../src/config/env';
import { createApp } from '../../src/create-app';
import { createDocument } from '../../src/openapi';
import { ApiClient, type ApiCall } from './api-client';
import { OwnServer } from './own-server';
import { Recorder } from './recorder';

/** Tenantry on a PostgreSQL server of a suite's own, which may be stopped and killed. */
export class OwnInstance {
  private constructor(
    readonly server: OwnServer,
    private readonly nest: NestFastifyApplication,
    readonly client: ApiClient,
  ) {}

  static async start(): Promise<OwnInstance> {
    const server = await OwnServer.start();
    const env = Object.assign(readEnv({ NODE_ENV: 'test' }), { SECRET_KEY: randomBytes(32).toString('base64') });
    const nest = await createApp(env, server.urls, false);
    await nest.listen(0, '127.0.0.1');
    const recorder = new Recorder(createDocument(nest));
    return new OwnInstance(server, nest, new ApiClient({ url: await nest.getUrl(), recorder }, {}));
  }

  /** Of nobody whom it knows: it asks the database, and leaves next to nothing. */
  signIn(): ApiCall {
    return this.client.post('/v1/auth/login', { email: 'nobody@own.test', password: 'not this one, surely' });
  }

  async expectServing(): Promise<void> {
    await this.client.get('/health/ready').expect(200, { status: 'ok' });
    await this.signIn().expectProblem(401, 'invalid_credentials');
  }

  async stop(): Promise<void> {
    await this.nest.close();
    await this.server.remove();
  }
}
