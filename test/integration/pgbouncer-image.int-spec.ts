import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chownSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { access } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { readPostgresUrl, writePostgresUrl } from '../../src/common/postgres-url';
import { readEnv } from '../../src/config/env';
import { createPool } from '../../src/database/pool';
import { idsOf } from '../../src/database/run-program';
import { chooseAccount, isRoot } from '../../src/database/unprivileged-account';
import { eventually } from '../support/eventually';
import { readText } from '../support/monitoring-files';
import { newDatabase, type TestDatabase } from '../support/postgres';
import { ROOT } from '../support/source-tree';

const PROGRAM = '/usr/sbin/pgbouncer';
const PORT = 6432;
/** Everything that a URL, a shell or PgBouncer's list could mistake. */
const PASSWORD = String.raw`p%41"s\x's:/@ ü$HOME`;

const isThere = existsSync(PROGRAM);
if (!isThere)
  process.stderr.write(
    'PgBouncer is missing: what its image runs is not tried. On Debian 12: apt-get install -y --no-install-recommends pgbouncer\n',
  );
/** Skipped where somebody works without it; in CI it must be there. */
const describeWithPgBouncer = isThere || process.env.CI ? describe : describe.skip;

describeWithPgBouncer('what the image of ops/pgbouncer runs', () => {
  // Not below jest's directories: PgBouncer's account must pass.
  const directory = mkdtempSync(path.join(tmpdir(), 'tenantry-bouncer-'));
  const userList = path.join(directory, 'userlist.txt');
  const role = `odd_${randomBytes(4).toString('hex')}`;
  const account = isRoot() ? chooseAccount(readFileSync('/etc/passwd', 'utf8')) : undefined;
  let database: TestDatabase;
  let child: ChildProcess | undefined;
  let output = '';

  /** The same login and database through PgBouncer. */
  const through = (url: string): string => {
    const parts = readPostgresUrl(url)!;
    return writePostgresUrl({ ...parts, hosts: [{ host: directory, port: PORT }] });
  };

  beforeAll(async () => {
    database = await newDatabase();
    const connection = await database.connect('admin');
    await connection.query(`CREATE ROLE ${role} LOGIN PASSWORD ${pg.escapeLiteral(PASSWORD)}`);
    await connection.query(`GRANT CONNECT ON DATABASE ${database.name} TO ${role}`);
    await connection.end();
    if (account) chownSync(directory, account.uid, account.gid);
    const config = path.join(directory, 'pgbouncer.ini');
    writeFileSync(config, configuration(database.adminUrl, directory, userList));
    const odd = new URL('postgresql://host/database');
    odd.username = role;
    odd.password = encodeURIComponent(PASSWORD);
    // A copy: the account may not reach the checkout (below /root, for instance).
    const script = path.join(directory, 'start.sh');
    copyFileSync(path.join(ROOT, 'ops/pgbouncer/start.sh'), script);
    if (account) chownSync(script, account.uid, account.gid);
    child = spawn('bash', [script], {
      ...idsOf(account),
      cwd: directory,
      env: {
        PATH: '/usr/sbin:/usr/bin:/bin',
        TMPDIR: process.env.TMPDIR, // by it .ci/run knows what a step has left running
        POSTGRES_URL: database.urls.app,
        POSTGRES_PLATFORM_URL: odd.href,
        PGBOUNCER_CONFIG: config,
        PGBOUNCER_USERLIST: userList,
      },
    });
    for (const stream of [child.stdout!, child.stderr!])
      stream.on('data', (data: Buffer) => (output += data.toString()));
    const socket = path.join(directory, `.s.PGSQL.${PORT}`);
    await eventually(() =>
      access(socket).catch((error: unknown) => {
        throw new Error(`It does not listen: ${output}`, { cause: error });
      }),
    );
  });

  afterAll(async () => {
    if (child && child.exitCode === null) {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    }
    const { adminUrl } = database;
    await database.drop();
    const parts = readPostgresUrl(adminUrl)!;
    const client = new pg.Client({ connectionString: writePostgresUrl({ ...parts, database: 'postgres' }) });
    await client.connect();
    await client.query(`DROP ROLE ${role}`);
    await client.end();
    rmSync(directory, { recursive: true });
  });

  it("passes the application's pool on, whatever its connections ask for when they begin", async () => {
    const pool = createPool('app', through(database.urls.app), readEnv({}));
    try {
      const { rows } = await pool.query<{ login: string }>('SELECT current_user AS login');
      expect(rows).toEqual([{ login: 'tenantry_app' }]);
    } finally {
      await pool.end();
    }
  });

  it('reads any password out of a URL, and keeps the list to itself', async () => {
    const client = new pg.Client({
      host: directory,
      port: PORT,
      user: role,
      password: PASSWORD,
      database: database.name,
    });
    await client.connect();
    const { rows } = await client.query<{ login: string }>('SELECT current_user AS login');
    await client.end();
    expect(rows).toEqual([{ login: role }]);
    expect(statSync(userList).mode & 0o777).toBe(0o600);
    expect(output).not.toContain(PASSWORD);
  });

  it('lets nobody else through', async () => {
    for (const url of [database.urls.monitor, database.urls.owner, database.adminUrl]) {
      const client = new pg.Client({ connectionString: through(url) });
      client.on('error', () => undefined);
      await expect(client.connect()).rejects.toThrow();
    }
  });
});

/** The image's own, but for where the server and the files are. */
function configuration(adminUrl: string, directory: string, userList: string): string {
  const [{ host, port }] = readPostgresUrl(adminUrl)!.hosts as [{ host: string; port: number }];
  const replacements = [
    ['host=postgres port=5432', `host=${host} port=${port}`],
    ['listen_addr = *', 'listen_addr ='],
    ['unix_socket_dir =', `unix_socket_dir = ${directory}`],
    ['auth_file = /tmp/userlist.txt', `auth_file = ${userList}`],
  ] as const;
  let text = readText('ops/pgbouncer/pgbouncer.ini');
  for (const [from, to] of replacements) {
    expect(text).toContain(from);
    text = text.replace(from, () => to);
  }
  return text;
}
