import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readPostgresUrl, writePostgresUrl } from '../../src/common/postgres-url';
import { type LoginPurpose, LOGINS, type LoginUrls } from '../../src/database/login-definitions';
import { writeOwnedFile } from '../../src/database/owned-file';
import { idsOf, PROGRAM_ENV } from '../../src/database/run-program';
import { connectTo } from '../../src/database/server-connection';
import { type Account, chooseAccount, isRoot } from '../../src/database/unprivileged-account';

/** The logins that serve requests; the others need a session of their own and go straight. */
const THROUGH = ['app', 'platform'] as const satisfies LoginPurpose[];
const DIRECTORY = 'pgbouncer';
/** The port names the socket; with PostgreSQL's own a URL differs in its directory alone. */
const PORT = 5432;
const SOCKET = `.s.PGSQL.${PORT}`;
/** Server connections for each login and database: fewer than the application's pool, so that clients do share them. */
export const SERVER_CONNECTIONS = 3;
const START_TIMEOUT_MS = 10_000;
const POLL_MS = 20;

/** PgBouncer's program when the run goes through it (`npm run test:pgbouncer`), undefined otherwise. */
export const pgBouncerProgram = (): string | undefined => process.env.TEST_PGBOUNCER || undefined;

/** A PgBouncer in transaction mode before one server, all of whose databases it serves. */
export class PgBouncer {
  private child: ChildProcess;

  private constructor(
    private readonly program: string,
    private readonly directory: string,
    private readonly account: Account | undefined,
  ) {
    this.child = this.launch();
  }

  /**
   * @param parent where it gets a directory of its own; the server's account can enter it
   * @param adminUrl of the server's superuser, through a socket
   */
  static async start(program: string, parent: string, adminUrl: string): Promise<PgBouncer> {
    const directory = path.join(parent, DIRECTORY);
    // It refuses to run as root. PostgreSQL's account alone can enter the directory of PostgreSQL's socket.
    const account = isRoot() ? chooseAccount(readFileSync('/etc/passwd', 'utf8')) : undefined;
    mkdirSync(directory, { mode: 0o700 });
    if (account) chownSync(directory, account.uid, account.gid);
    writeOwnedFile(path.join(directory, 'userlist.txt'), await userList(adminUrl), account);
    writeOwnedFile(path.join(directory, 'pgbouncer.ini'), configuration(directory, adminUrl), account);
    const bouncer = new PgBouncer(program, directory, account);
    try {
      await bouncer.untilListening();
      return bouncer;
    } catch (error) {
      await bouncer.stop();
      throw error;
    }
  }

  /** The same URLs, those of the serving logins through here. */
  urlsOf(urls: LoginUrls): LoginUrls {
    const through = THROUGH.map((purpose) => {
      const url = readPostgresUrl(urls[purpose])!;
      return [purpose, writePostgresUrl({ ...url, hosts: [{ host: this.directory, port: PORT }] })] as const;
    });
    return { ...urls, ...Object.fromEntries(through) };
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null || this.child.pid === undefined) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGTERM'); // at once; SIGINT would wait for its clients
    await ended;
  }

  /** Ends it with all its connections, and starts it again. */
  async restart(): Promise<void> {
    await this.stop();
    this.child = this.launch();
    await this.untilListening();
  }

  /** In a session of its own, so that a terminal's Ctrl-C does not reach it before the specs have ended. */
  private launch(): ChildProcess {
    const child = spawn(this.program, ['--quiet', path.join(this.directory, 'pgbouncer.ini')], {
      ...idsOf(this.account),
      cwd: this.directory,
      env: { ...PROGRAM_ENV, TMPDIR: process.env.TMPDIR }, // by it .ci/run knows what a step has left running
      detached: true,
      stdio: 'ignore',
    });
    child.on('error', () => undefined); // it shows as a child without a pid
    child.unref();
    return child;
  }

  private async untilListening(): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!(await answers(path.join(this.directory, SOCKET)))) {
      if (Date.now() > deadline || this.child.exitCode !== null || this.child.pid === undefined) {
        const log = path.join(this.directory, 'pgbouncer.log');
        throw new Error(`PgBouncer does not start: ${existsSync(log) ? readFileSync(log, 'utf8') : 'no word of it'}`);
      }
      await sleep(POLL_MS);
    }
  }
}

/** Ends a PgBouncer that a killed run has left in `parent`. Synchronous: the last act of a process. */
export function killPgBouncer(parent: string): void {
  const directory = path.join(parent, DIRECTORY);
  const pidFile = path.join(directory, 'pgbouncer.pid');
  if (!lstatSync(pidFile, { throwIfNoEntry: false })?.isFile()) return;
  const pid = Number(readFileSync(pidFile, 'utf8'));
  try {
    if (pid > 1 && readlinkSync(`/proc/${pid}/cwd`) === realpathSync(directory)) process.kill(pid, 'SIGTERM');
  } catch {
    return; // it has ended
  }
}

/** The settings of docs/operations.md, with what a test needs instead: every database, a socket, few connections, short waits. */
function configuration(directory: string, adminUrl: string): string {
  const { user, hosts } = readPostgresUrl(adminUrl)!;
  const { host, port } = hosts[0]!;
  const ours = new Map<string, string | number>([
    ['listen_addr', ''],
    ['listen_port', PORT],
    ['unix_socket_dir', directory],
    ['unix_socket_mode', '0700'],
    ['logfile', path.join(directory, 'pgbouncer.log')],
    ['pidfile', path.join(directory, 'pgbouncer.pid')],
    ['auth_file', path.join(directory, 'userlist.txt')],
    ['auth_user', user!],
    ['default_pool_size', SERVER_CONNECTIONS],
    ['query_wait_timeout', 3], // below Prisma's maxWait, so that it is this one that is seen
    ['server_idle_timeout', 10], // each suite has a database
    ['log_connections', 0],
    ['log_disconnections', 0],
  ]);
  const kept = documentedSettings()
    .replace(/^tenantry = .*$/m, `* = host=${host} port=${port}`)
    .split('\n')
    .filter((line) => !ours.has(line.split(' = ')[0]!));
  return [...kept, ...[...ours].map(([name, value]) => `${name} = ${value}`), ''].join('\n');
}

function documentedSettings(): string {
  const text = readFileSync(path.join(__dirname, '../../docs/operations.md'), 'utf8');
  const [, settings] = /^## PgBouncer$[^]*?^```ini\n([^]*?)^```$/m.exec(text) ?? [];
  if (!settings) throw new Error('docs/operations.md has no settings of PgBouncer in its section of that name.');
  return settings;
}

/**
 * The serving logins with what PostgreSQL keeps of their passwords, as in production; and the superuser, who looks up the
 * logins that a spec makes.
 */
async function userList(adminUrl: string): Promise<string> {
  const { user, password } = readPostgresUrl(adminUrl)!;
  const client = await connectTo(adminUrl);
  try {
    const { rows } = await client.query<{ line: string }>(
      `SELECT format('"%s" "%s"', rolname, rolpassword) AS line FROM pg_authid WHERE rolname = ANY ($1)`,
      [THROUGH.map((purpose) => LOGINS[purpose].name)],
    );
    return [`"${user}" "${password}"`, ...rows.map(({ line }) => line), ''].join('\n');
  } finally {
    await client.end();
  }
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket, () => {
      probe.destroy();
      resolve(true);
    });
    probe.on('error', () => resolve(false));
  });
}
