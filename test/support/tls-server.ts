import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type Cluster, openCluster, writeSettings } from '../../src/database/cluster';
import { locateClusterHome } from '../../src/database/cluster-home';
import { writeOwnedFile } from '../../src/database/owned-file';
import { findPostgresBinaries, type PostgresBinaries } from '../../src/database/postgres-binaries';
import { launchPostmaster, stopPostmaster } from '../../src/database/postmaster';
import { makeSocketDirectory } from '../../src/database/socket-directory';
import type { Credentials } from './certificates';
import { makeTestDirectory, removeTestDirectory } from './test-directory';

const START_TIMEOUT_MS = 20_000;
const POLL_MS = 20;

/** Who may come in how. `certified` shows a certificate instead of a password, `both` shows both, `protected` must encrypt. */
const ACCESS = `
local     all  postgres   scram-sha-256
hostssl   all  certified  all  cert
hostssl   all  both       all  scram-sha-256  clientcert=verify-full
hostssl   all  protected  all  scram-sha-256
host      all  anyhow     all  scram-sha-256
`;

export type TlsLogin = 'certified' | 'both' | 'protected' | 'anyhow';
const LOGINS: TlsLogin[] = ['certified', 'both', 'protected', 'anyhow'];

/** A PostgreSQL server on TCP, on this machine alone, that shows whatever certificate a spec wants it to. */
export class TlsServer {
  readonly passwords = Object.fromEntries(LOGINS.map((login) => [login, randomBytes(12).toString('hex')])) as Record<
    TlsLogin,
    string
  >;

  private constructor(
    private readonly directory: string,
    private readonly binaries: PostgresBinaries,
    private readonly cluster: Cluster,
    private readonly socketDirectory: string,
    readonly port: number,
  ) {}

  /** @param clientAuthority whose certificates of clients it believes */
  static async start(credentials: Credentials, clientAuthority: string): Promise<TlsServer> {
    const directory = makeTestDirectory();
    const home = await locateClusterHome(directory);
    const binaries = await findPostgresBinaries(process.env.TEST_POSTGRES_BIN, home.account);
    const cluster = await openCluster(home, binaries);
    const sockets = await makeSocketDirectory(home);
    const server = new TlsServer(directory, binaries, cluster, sockets, await freePort());
    try {
      server.write('clients.pem', clientAuthority);
      server.write('pg_hba.conf', ACCESS);
      server.writeCertificate(credentials);
      server.writeSettings(true);
      launchPostmaster(binaries, cluster.pgData, path.join(directory, 'server.log'), home.account);
      await server.untilListening();
      for (const login of LOGINS) {
        await server.query(
          `CREATE ROLE ${pg.escapeIdentifier(login)} LOGIN PASSWORD ${pg.escapeLiteral(server.passwords[login])}`,
        );
      }
      return server;
    } catch (error) {
      await server.remove();
      throw error;
    }
  }

  /** A URL of a login, through TCP. `localhost` and `127.0.0.1` are two names of the same server. */
  urlOf(login: TlsLogin, parameters: Record<string, string>, host = 'localhost'): string {
    const query = new URLSearchParams(parameters).toString();
    return `postgresql://${login}:${this.passwords[login]}@${host}:${this.port}/postgres?${query}`;
  }

  /** From now on new connections get this certificate; undefined: the server does not know TLS. */
  async present(credentials: Credentials | undefined): Promise<void> {
    if (credentials) this.writeCertificate(credentials);
    this.writeSettings(credentials !== undefined);
    const [{ before } = { before: '' }] = await this.query<{ before: string }>(
      'SELECT pg_conf_load_time()::text AS before FROM pg_reload_conf()',
    );
    // The postmaster reads the certificate together with the settings, and each new backend tells when that was.
    const deadline = Date.now() + START_TIMEOUT_MS;
    for (;;) {
      const [row] = await this.query<{ done: boolean }>('SELECT pg_conf_load_time() > $1::timestamptz AS done', [
        before,
      ]);
      if (row?.done) return;
      if (Date.now() > deadline) throw new Error(`The server does not read its settings again:\n${this.said()}`);
      await sleep(POLL_MS);
    }
  }

  /** One statement of the superuser's, through the socket. */
  async query<Row extends pg.QueryResultRow>(sql: string, parameters: unknown[] = []): Promise<Row[]> {
    const client = new pg.Client({
      host: this.socketDirectory,
      port: this.port,
      user: 'postgres',
      database: 'postgres',
      password: this.cluster.superuserPassword,
    });
    await client.connect();
    try {
      return (await client.query<Row>(sql, parameters)).rows;
    } finally {
      await client.end();
    }
  }

  async remove(): Promise<void> {
    await stopPostmaster(this.binaries, this.cluster.pgData, this.cluster.home.account).catch(() => undefined);
    removeTestDirectory(this.directory);
  }

  private writeCertificate({ certificate, key }: Credentials): void {
    this.write('server.pem', certificate);
    this.write('server.key', key);
  }

  private writeSettings(ssl: boolean): void {
    writeSettings(this.cluster, {
      listen_addresses: 'localhost',
      port: String(this.port),
      unix_socket_directories: this.socketDirectory,
      fsync: 'off',
      ssl: ssl ? 'on' : 'off',
      ssl_cert_file: 'server.pem',
      ssl_key_file: 'server.key',
      ssl_ca_file: 'clients.pem',
    });
  }

  private write(name: string, text: string): void {
    writeOwnedFile(path.join(this.cluster.pgData, name), text, this.cluster.home.account);
  }

  private async untilListening(): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!(await this.query('SELECT 1').catch(() => undefined))) {
      if (Date.now() > deadline) throw new Error(`The server does not start:\n${this.said()}`);
      await sleep(POLL_MS);
    }
  }

  private said(): string {
    const log = path.join(this.directory, 'server.log');
    return existsSync(log) ? readFileSync(log, 'utf8') : '';
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
