import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { readPostgresUrl } from '../../src/common/postgres-url';
import { openValue } from '../../src/config/sealed-value';
import { newPassword } from '../support/app';
import { buildProject, copyProject, type ProjectCopy } from '../support/built-project';
import { eventually } from '../support/eventually';
import { newDatabase, type TestDatabase } from '../support/postgres';
import { type Ending, ServerProcess, watchCommandLines } from '../support/server-process';
import { SocketProxy } from '../support/socket-proxy';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

const CONFIG_KEY = randomBytes(32).toString('base64');
const SECRET_KEY = randomBytes(32).toString('base64');
const METRICS_TOKEN = randomBytes(24).toString('hex');
const ADMINISTRATOR = { email: 'root@tenantry.test', password: newPassword() };

let project: ProjectCopy;
let directory: string;
let database: TestDatabase;
/** Between the application and its server, which it can so lose. */
let proxy: SocketProxy;
let server: ServerProcess | undefined;

/** What `npm run secret:encrypt` says to this input. */
function encrypt(input: string, env: Record<string, string>, args: string[] = []) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['dist/cli/secret-encrypt.js', ...args], {
    cwd: project.directory,
    env: { PATH: process.env.PATH, ...env },
    input,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

function urls(): Record<'app' | 'platform' | 'monitor', string> {
  const { app, platform, monitor } = database.urls;
  return { app: proxy.urlOf(app), platform: proxy.urlOf(platform), monitor };
}

function fileOf(name: string, text: string): string {
  const file = path.join(directory, name);
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

/** A correct configuration: every secret in a file, those of the connections encrypted there. */
function configuration(): Record<string, string> {
  const { app, platform, monitor } = urls();
  const sealed = (name: string, url: string): string => fileOf(name, encrypt(url, { CONFIG_KEY }).stdout);
  return {
    NODE_ENV: 'production',
    LOG_LEVEL: 'debug',
    DATA_DIR: directory,
    CONFIG_KEY_FILE: fileOf('config.key', `${CONFIG_KEY}\n`),
    POSTGRES_URL_FILE: sealed('app', app),
    POSTGRES_PLATFORM_URL_FILE: sealed('platform', platform),
    POSTGRES_MONITOR_URL_FILE: fileOf('monitor', monitor),
    SECRET_KEY_FILE: fileOf('secret.key', SECRET_KEY),
    METRICS_TOKEN_FILE: fileOf('metrics.token', METRICS_TOKEN),
    BOOTSTRAP_ADMIN_EMAIL: ADMINISTRATOR.email,
    BOOTSTRAP_ADMIN_PASSWORD_FILE: fileOf('administrator', ADMINISTRATOR.password),
  };
}

function start(changes: Record<string, string> = {}): ServerProcess {
  server = new ServerProcess(project.directory, { ...configuration(), ...changes });
  return server;
}

beforeAll(async () => {
  project = copyProject();
  buildProject(project);
  directory = makeTestDirectory();
  database = await newDatabase();
  proxy = await SocketProxy.before(database.urls.app);
}, 120_000);

afterEach(async () => {
  if (server?.isRunning) server.killGroup('SIGKILL');
  await server?.ended;
});

afterAll(async () => {
  await proxy?.close();
  await database?.drop();
  project.remove();
  removeTestDirectory(directory);
});

describe('npm run secret:encrypt', () => {
  const secret = 'postgresql://app:p-Ä4711@db/tenantry';

  it('prints the encrypted value and nothing else', () => {
    const options = { cwd: project.directory, input: `${secret}\n`, encoding: 'utf8' } as const;
    const env = { PATH: process.env.PATH, HOME: process.env.HOME, CONFIG_KEY };
    const { stdout, stderr } = spawnSync('npm', ['run', '--silent', 'secret:encrypt'], { ...options, env });
    expect(stdout).toMatch(/^enc:v1:\S+\n$/);
    expect(openValue(CONFIG_KEY, stdout.trim())).toBe(secret);
    expect(stderr).not.toContain('4711');
  });

  it('asks at a terminal and does not show what is typed there', async () => {
    const child = spawn('script', ['-qec', `${process.execPath} dist/cli/secret-encrypt.js`, '/dev/null'], {
      cwd: project.directory,
      env: { PATH: process.env.PATH, CONFIG_KEY, SHELL: '/bin/sh' },
    });
    let shown = '';
    child.stdout.on('data', (chunk: Buffer) => (shown += chunk.toString()));
    const ended = once(child, 'close');
    await eventually(async () => expect(shown.slice(0, 1_000)).toContain('Secret (not shown): '));
    child.stdin.write(`${secret}\r`);
    await ended;
    const [sealed] = /enc:v1:\S+/.exec(shown) ?? [];
    expect(openValue(CONFIG_KEY, sealed ?? '')).toBe(secret);
    expect(shown).not.toContain('4711');
  });

  it.each<[string, string, Record<string, string>, string[], RegExp]>([
    ['a secret on its command line', '', { CONFIG_KEY }, ['p-4711'], /takes no arguments/],
    ['an option that it does not know', '', { CONFIG_KEY }, ['--value=p-4711'], /takes no arguments/],
    ['nothing', '\n', { CONFIG_KEY }, [], /it is empty/],
    ['to go without a key', 'p-4711', {}, [], /CONFIG_KEY or CONFIG_KEY_FILE must be set/],
    ['a key that is none', 'p-4711', { CONFIG_KEY: 'k-4711' }, [], /CONFIG_KEY must be 32 bytes in base64/],
    ['a key file that is not there', 'p-4711', { CONFIG_KEY_FILE: '/4711' }, [], /CONFIG_KEY_FILE cannot be read/],
  ])('refuses %s', (_, input, env, args, reason) => {
    const { status, stdout, stderr } = encrypt(input, env, args);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(reason);
    expect(stderr).not.toMatch(/4711|^ +at /m);
  });
});

describe('npx prisma with the owner’s URL in a file, encrypted', () => {
  const status = (env: Record<string, string>) => {
    const { stdout, stderr } = spawnSync(
      process.execPath,
      ['node_modules/prisma/build/index.js', 'migrate', 'status'],
      {
        cwd: project.directory,
        env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
        encoding: 'utf8',
      },
    );
    return stdout + stderr;
  };

  it('connects with it', () => {
    const file = fileOf('owner', encrypt(database.urls.owner, { CONFIG_KEY }).stdout);
    const output = status({ POSTGRES_OWNER_URL_FILE: file, CONFIG_KEY });
    expect(output).toContain('Database schema is up to date!');
    expect(hits({ output })).toEqual([]);
  });

  it('says what is wrong with it, and nothing of what is in it', () => {
    const sealed = encrypt(database.urls.owner, { CONFIG_KEY }).stdout.trim();
    const output = status({ POSTGRES_OWNER_URL: sealed, CONFIG_KEY: SECRET_KEY });
    expect(output).toContain('POSTGRES_OWNER_URL is encrypted, and CONFIG_KEY does not open it');
    expect(hits({ output })).toEqual([]);
  });
});

describe('npm run db:bootstrap in production', () => {
  it('refuses an administrator’s password in plain text to another machine', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['dist/cli/db-bootstrap.js'], {
      cwd: project.directory,
      env: { PATH: process.env.PATH, NODE_ENV: 'production', POSTGRES_ADMIN_URL: 'postgresql://u:p-4711@0.0.0.0:1/d' },
      encoding: 'utf8',
    });
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^POSTGRES_ADMIN_URL would connect to another machine in plain text/);
    expect(stderr).not.toContain('4711');
  });
});

describe('a start with connection strings in files, encrypted', () => {
  it.each<[string, () => Record<string, string>, string]>([
    ['the wrong key', () => ({ CONFIG_KEY_FILE: '', CONFIG_KEY: SECRET_KEY }), 'CONFIG_KEY does not open it'],
    ['no key', () => ({ CONFIG_KEY_FILE: '' }), 'CONFIG_KEY or CONFIG_KEY_FILE must be set'],
    [
      'a variable set twice',
      () => ({ POSTGRES_URL: database.urls.app }),
      'POSTGRES_URL and POSTGRES_URL_FILE are both set',
    ],
    ['a missing file', () => ({ POSTGRES_URL_FILE: '/nowhere' }), 'POSTGRES_URL_FILE cannot be read (ENOENT)'],
  ])('refuses %s, and shows nothing of it', async (_, changes, reason) => {
    const refused = start(changes());
    expect(await refused.ended).toEqual({ code: 1, signal: null });
    expect(refused.output.slice(0, 1_000)).toContain(reason);
    expect(hits({ output: refused.output })).toEqual([]);
  });

  describe('whose every answer, line of log and process title is read', () => {
    /** Where a secret could be seen. */
    const shown: Record<string, string> = {};
    let ending: Ending;

    let watch: ReturnType<typeof watchCommandLines>;
    beforeAll(async () => {
      watch = watchCommandLines();
      const started = start();
      const url = await started.ready();
      const record = (place: string, text: string): void => void (shown[place] = (shown[place] ?? '') + text);
      const ask = async (route: string, token?: string, body?: unknown): Promise<{ status: number; text: string }> => {
        const response = await fetch(url + route, {
          method: body === undefined ? 'GET' : 'POST',
          headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
          ...(body !== undefined && { body: JSON.stringify(body) }),
        });
        const text = await response.text();
        const kind = response.status < 400 ? route : 'problems';
        record(kind, text + JSON.stringify([...response.headers]));
        return { status: response.status, text };
      };
      const signIn = await ask('/v1/auth/login', undefined, ADMINISTRATOR);
      const { accessToken } = JSON.parse(signIn.text) as { accessToken: string };
      await ask('/v1/auth/login', undefined, { ...ADMINISTRATOR, password: newPassword() });
      await ask('/health', accessToken);
      await ask('/v1/tenants', accessToken);
      await ask('/v1/tenants/none', accessToken);
      await ask('/metrics');
      await ask('/metrics', METRICS_TOKEN);
      await proxy.refuse();
      await eventually(async () => expect((await ask('/health/ready')).status).toBe(503));
      expect((await ask('/v1/tenants', accessToken)).status).toBe(503);
      await ask('/v1/auth/login', undefined, ADMINISTRATOR);
      await ask('/metrics', METRICS_TOKEN);
      await proxy.listen();
      await eventually(async () => expect((await ask('/health', accessToken)).status).toBe(200));
      started.kill('SIGTERM');
      ending = await started.ended;
      record('log', started.output);
      record('process titles', watch.stop().join('\n'));
    }, 60_000);

    afterAll(() => void watch.stop());

    it('serves, loses its database, serves again and stops', () => {
      expect(ending).toEqual({ code: 0, signal: null });
      // Each place must have had something to show. Not toContain: its report of such long texts takes minutes.
      const signs = {
        log: '/v1/auth/login',
        '/health': '"status"',
        '/metrics': 'db_client_connection_count',
        problems: 'database_unavailable',
        'process titles': 'dist/main.js',
      };
      for (const [place, sign] of Object.entries(signs)) {
        expect({ place, has: shown[place]?.includes(sign) }).toEqual({ place, has: true });
      }
    });

    it('shows no part of a connection string, no key and no token in any of them', () => {
      expect(hits(shown)).toEqual([]);
    });

    it('would be caught if it did', () => {
      const { password } = readPostgresUrl(database.urls.platform)!;
      expect(hits({ log: `error: ${password}`, answer: METRICS_TOKEN })).toHaveLength(2);
    });
  });
});

/** Which secret stands where; by its number alone, so that no report shows it. */
function hits(places: Record<string, string>): string[] {
  const all = [...Object.values(urls()), database.urls.owner];
  const passwords = all.map((url) => readPostgresUrl(url)!.password!);
  const keys = [CONFIG_KEY, SECRET_KEY, METRICS_TOKEN, ADMINISTRATOR.password];
  const secrets = [...new Set([...all, ...passwords, ...passwords.map(encodeURIComponent), ...keys])];
  return Object.entries(places).flatMap(([place, text]) => {
    // The processes are all of this machine: what others show there is not ours.
    const telltales = place === 'process titles' ? [] : ['postgresql://', 'postgres://', 'enc:v1:'];
    return [...secrets, ...telltales].flatMap((secret, number) =>
      text.includes(secret) ? [`secret ${number} in ${place}`] : [],
    );
  });
}
