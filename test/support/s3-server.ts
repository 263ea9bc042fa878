import { existsSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { BackupBucket } from '../../src/config/backup-bucket';
import { ServerProcess } from './server-process';
import { makeTestDirectory, removeTestDirectory } from './test-directory';

const BUCKET = 'backups';
/** s3rver's only account. */
const CREDENTIALS = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };

export interface S3Fault {
  kind:
    | 'refuse' // with `status`
    | 'stall' // for ever, without a byte
    | 'cut' // off the answer after its first bytes
    | 'lose answer'; // done, and nobody is told
  status?: number;
}

/**
 * Object storage of a suite's own: s3rver as a process, and before it a proxy that adds the two things of S3 that s3rver lacks
 * (`If-None-Match: *` on writes, and the end of an unfinished upload), and faults.
 */
export class S3Server {
  /** Method and path of each request, in order. */
  readonly requests: string[] = [];
  /** Asked for each request. */
  fault: (method: string, url: string) => S3Fault | undefined = () => undefined;
  /** As S3 since 2024; false: as s3rver, which ignores it. */
  knowsConditions = true;
  /** Names in each page of a listing; S3 gives 1000. */
  pageSize = 1000;

  private constructor(
    private readonly directory: string,
    private readonly process: ServerProcess,
    private readonly port: number,
    private readonly proxy: Server,
  ) {
    proxy.on('request', (incoming: IncomingMessage, outgoing: ServerResponse) => this.answer(incoming, outgoing));
  }

  static async start(): Promise<S3Server> {
    const directory = makeTestDirectory();
    const program = require.resolve('s3rver/bin/s3rver.js');
    const options = ['-d', directory, '-p', '0', '-a', '127.0.0.1', '-s', '--no-vhost-buckets'];
    // The tokens of its lists' next pages are made with DES.
    const command = [process.execPath, '--openssl-legacy-provider', program, ...options, '--configure-bucket', BUCKET];
    const server = new ServerProcess(directory, {}, command);
    await server.says(/listening on \S+:\d+/);
    const port = Number(/listening on \S+:(\d+)/.exec(server.output)![1]);
    const proxy = createServer();
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    return new S3Server(directory, server, port, proxy);
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.proxy.address() as AddressInfo).port}`;
  }

  bucket(prefix: string): BackupBucket {
    const { endpoint } = this;
    return { bucket: BUCKET, prefix, endpoint, region: 'us-east-1', credentials: CREDENTIALS, forcePathStyle: true };
  }

  /** The same as variables. */
  env(prefix: string): Record<string, string> {
    return {
      BACKUP_S3_BUCKET: BUCKET,
      BACKUP_S3_PREFIX: prefix,
      BACKUP_S3_ENDPOINT: this.endpoint,
      BACKUP_S3_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      BACKUP_S3_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
      BACKUP_S3_FORCE_PATH_STYLE: 'true',
    };
  }

  /** Uploads that are neither whole nor removed. */
  unfinishedUploads(): string[] {
    const uploads = path.join(this.directory, BUCKET, '._S3rver_uploads');
    return existsSync(uploads) ? readdirSync(uploads) : [];
  }

  /** Where an object's bytes lie. */
  fileOf(key: string): string {
    return path.join(this.directory, BUCKET, `${key}._S3rver_object`);
  }

  async stop(): Promise<void> {
    this.proxy.closeAllConnections();
    await new Promise((resolve) => this.proxy.close(resolve));
    this.process.kill('SIGKILL');
    await this.process.ended;
    removeTestDirectory(this.directory);
  }

  private answer(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { method = '', url = '' } = incoming;
    this.requests.push(`${method} ${url}`);
    const fault = this.fault(method, url);
    if (fault?.kind === 'stall') return;
    if (fault?.kind === 'refuse') return refuse(incoming, outgoing, fault.status!);
    const { pathname, searchParams } = new URL(url, this.endpoint);
    const isWrite = method === 'PUT' || method === 'POST';
    const key = decodeURIComponent(pathname).slice(`/${BUCKET}/`.length);
    if (this.knowsConditions && isWrite && incoming.headers['if-none-match'] === '*' && existsSync(this.fileOf(key)))
      return refuse(incoming, outgoing, 412);
    const uploadId = searchParams.get('uploadId');
    if (method === 'DELETE' && uploadId !== null) {
      // A part may still be on its way.
      const parts = path.join(this.directory, BUCKET, '._S3rver_uploads', path.basename(uploadId));
      void rm(parts, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }).then(() =>
        outgoing.writeHead(204).end(),
      );
      return;
    }
    this.pass(incoming, outgoing, fault);
  }

  private pass(incoming: IncomingMessage, outgoing: ServerResponse, fault: S3Fault | undefined): void {
    const { method, url = '', headers } = incoming;
    const onPage = url.includes('list-type=2') ? `${url}&max-keys=${this.pageSize}` : url;
    const onward = request({ host: '127.0.0.1', port: this.port, method, path: onPage, headers }, (answer) => {
      if (fault?.kind === 'lose answer') return void answer.resume().on('end', () => outgoing.destroy());
      outgoing.writeHead(answer.statusCode!, answer.headers);
      if (fault?.kind === 'cut')
        return void answer.once('data', (chunk) => outgoing.write(chunk, () => outgoing.destroy()));
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    incoming.on('error', () => onward.destroy());
    incoming.pipe(onward);
  }
}

function refuse(incoming: IncomingMessage, outgoing: ServerResponse, status: number): void {
  incoming.resume().on('end', () => {
    const body = `<Error><Code>Refused${status}</Code><Message>refused by the test</Message></Error>`;
    outgoing.writeHead(status, { 'Content-Type': 'application/xml' }).end(body);
  });
}
