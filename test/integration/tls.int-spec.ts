import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { StartupError } from '../../src/common/errors';
import { readEnv } from '../../src/config/env';
import { whileWanted } from '../../src/database/abandonment';
import type { BoundedPool } from '../../src/database/bounded-pool';
import { asDomainError } from '../../src/database/database-errors';
import { createPool } from '../../src/database/pool';
import { connectTo } from '../../src/database/server-connection';
import { type Credentials, lockedKey, selfSigned, TestAuthority } from '../support/certificates';
import { eventually } from '../support/eventually';
import { type TlsLogin, TlsServer } from '../support/tls-server';

// One server on TCP, with a certificate for `localhost`; by `127.0.0.1` the same server has the wrong name.
const PASSPHRASE = 's3cret-passphrase';

let server: TlsServer;
let directory: string;
let ca: TestAuthority;
/** What the server can show. */
let shown: Record<'right' | 'expired' | 'selfSigned', Credentials>;
/** Paths of what clients need. */
let files: Record<'ca' | 'otherCa' | 'ofSelfSigned' | 'cert' | 'key' | 'lockedKey' | 'otherCert' | 'otherKey', string>;

function fileOf(name: string, text: string): string {
  const file = path.join(directory, name);
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'tenantry-tls-'));
  ca = await TestAuthority.create('Tenantry test authority');
  const otherCa = await TestAuthority.create('Somebody else’s authority');
  const localhost = { name: 'server', hosts: ['localhost'] };
  shown = {
    right: await ca.issue(localhost),
    expired: await ca.issue({ ...localhost, expired: true }),
    selfSigned: await selfSigned(localhost),
  };
  const [certified, other] = [await ca.issue({ name: 'certified' }), await otherCa.issue({ name: 'certified' })];
  files = {
    ca: fileOf('ca.pem', ca.certificate),
    otherCa: fileOf('other-ca.pem', otherCa.certificate),
    ofSelfSigned: fileOf('self-signed.pem', shown.selfSigned.certificate),
    cert: fileOf('client.pem', certified.certificate),
    key: fileOf('client.key', certified.key),
    lockedKey: fileOf('client-locked.key', lockedKey(certified.key, PASSPHRASE)),
    otherCert: fileOf('other-client.pem', other.certificate),
    otherKey: fileOf('other-client.key', other.key),
  };
  server = await TlsServer.start(shown.right, ca.certificate);
}, 60_000);

afterAll(async () => {
  await server?.remove();
  rmSync(directory, { recursive: true });
});

type File = keyof typeof files;
interface Attempt {
  sslmode?: string;
  sslrootcert?: File;
  sslcert?: File;
  sslkey?: File;
  sslpassword?: string;
  sslnegotiation?: 'direct';
}

function urlOf(attempt: Attempt, login: TlsLogin = 'anyhow', host?: string): string {
  const parameters = Object.entries(attempt as Record<string, string>).map(
    ([name, value]) => [name, files[value as File] ?? value] as const,
  );
  return server.urlOf(login, Object.fromEntries(parameters), host);
}

/** `encrypted` or `plain`, as the server sees the connection; or why there is none, with no secret in it. */
async function outcome(url: string): Promise<string> {
  try {
    const client = await connectTo(url, 5_000, 'POSTGRES_URL');
    try {
      const { rows } = await client.query<{ ssl: boolean }>('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
      return rows[0]?.ssl ? 'encrypted' : 'plain';
    } finally {
      await client.end();
    }
  } catch (error) {
    expect(error).toBeInstanceOf(StartupError);
    const { message } = error as Error;
    for (const secret of [...Object.values(server.passwords), PASSPHRASE, 'PRIVATE KEY', 'BEGIN', directory]) {
      expect(message).not.toContain(secret);
    }
    return message;
  }
}

const UNKNOWN_AUTHORITY =
  /^The encryption to PostgreSQL at localhost:\d+ fails: self-signed certificate in certificate chain \(SELF_SIGNED_CERT_IN_CHAIN\)\.$/;
const EXPIRED = /^The encryption to PostgreSQL at localhost:\d+ fails: certificate has expired \(CERT_HAS_EXPIRED\)\.$/;
const SELF_SIGNED =
  /^The encryption to PostgreSQL at localhost:\d+ fails: self-signed certificate \(DEPTH_ZERO_SELF_SIGNED_CERT\)\.$/;
const WRONG_HOST =
  /^The encryption to PostgreSQL at 127\.0\.0\.1:\d+ fails: Hostname\/IP does not match .*\(ERR_TLS_CERT_ALTNAME_INVALID\)\.$/;

describe('a server with a certificate for localhost of our authority', () => {
  it.each<[string, Attempt, string | undefined, string | RegExp]>([
    ['disable', { sslmode: 'disable' }, undefined, 'plain'],
    ['nothing said', {}, undefined, 'encrypted'],
    ['prefer', { sslmode: 'prefer' }, undefined, 'encrypted'],
    ['prefer, another authority', { sslmode: 'prefer', sslrootcert: 'otherCa' }, undefined, 'encrypted'],
    ['require', { sslmode: 'require' }, undefined, 'encrypted'],
    ['require, our authority', { sslmode: 'require', sslrootcert: 'ca' }, undefined, 'encrypted'],
    ['require, another authority', { sslmode: 'require', sslrootcert: 'otherCa' }, undefined, UNKNOWN_AUTHORITY],
    ['require, another name', { sslmode: 'require', sslrootcert: 'ca' }, '127.0.0.1', 'encrypted'],
    ['verify-ca', { sslmode: 'verify-ca', sslrootcert: 'ca' }, undefined, 'encrypted'],
    ['verify-ca, another authority', { sslmode: 'verify-ca', sslrootcert: 'otherCa' }, undefined, UNKNOWN_AUTHORITY],
    ['verify-ca, another name', { sslmode: 'verify-ca', sslrootcert: 'ca' }, '127.0.0.1', 'encrypted'],
    ['verify-full', { sslmode: 'verify-full', sslrootcert: 'ca' }, undefined, 'encrypted'],
    [
      'verify-full, another authority',
      { sslmode: 'verify-full', sslrootcert: 'otherCa' },
      undefined,
      UNKNOWN_AUTHORITY,
    ],
    ['verify-full, the public authorities', { sslmode: 'verify-full' }, undefined, UNKNOWN_AUTHORITY],
    ['verify-full, another name', { sslmode: 'verify-full', sslrootcert: 'ca' }, '127.0.0.1', WRONG_HOST],
  ])('%s', async (_, attempt, host, expected) => {
    const result = await outcome(urlOf(attempt, 'anyhow', host));
    expect(result).toMatch(typeof expected === 'string' ? new RegExp(`^${expected}$`) : expected);
  });

  it('refuses plain text where pg_hba.conf asks for encryption, and says so', async () => {
    expect(await outcome(urlOf({ sslmode: 'disable' }, 'protected'))).toMatch(/refuses protected: .*no encryption/);
    expect(await outcome(urlOf({ sslmode: 'prefer' }, 'protected'))).toBe('encrypted');
  });
});

describe('a client’s certificate', () => {
  const require = { sslmode: 'require' };

  it('stands for the password', async () => {
    expect(await outcome(urlOf({ ...require, sslcert: 'cert', sslkey: 'key' }, 'certified'))).toBe('encrypted');
  });

  it('may have an encrypted key', async () => {
    const attempt: Attempt = { ...require, sslcert: 'cert', sslkey: 'lockedKey' };
    expect(await outcome(urlOf({ ...attempt, sslpassword: PASSPHRASE }, 'certified'))).toBe('encrypted');
    for (const sslpassword of [undefined, 'not-the-passphrase']) {
      const reason = await outcome(urlOf({ ...attempt, ...(sslpassword && { sslpassword }) }, 'certified'));
      expect(reason).toMatch(/^The encryption to PostgreSQL at \S+ fails: /);
      expect(reason).not.toContain('not-the-passphrase');
    }
  });

  it('is missed, and its absence named, where the server asks for one', async () => {
    expect(await outcome(urlOf(require, 'certified'))).toMatch(/valid client certificate/);
    expect(await outcome(urlOf(require, 'both'))).toMatch(/valid client certificate/);
  });

  it('is refused when it is somebody else’s', async () => {
    // PostgreSQL tells the reason to its log alone; to the client it names the method that pg_hba.conf has.
    expect(await outcome(urlOf({ ...require, sslcert: 'cert', sslkey: 'key' }, 'both'))).toMatch(/refuses .* both/);
  });

  it('is refused when another authority made it', async () => {
    const attempt: Attempt = { ...require, sslcert: 'otherCert', sslkey: 'otherKey' };
    expect(await outcome(urlOf(attempt, 'certified'))).toMatch(
      /^The encryption to PostgreSQL at \S+ fails: .*unknown ca/,
    );
  });

  it('is refused before anything is sent when its key is another’s', async () => {
    const attempt: Attempt = { ...require, sslcert: 'cert', sslkey: 'otherKey' };
    expect(await outcome(urlOf(attempt, 'certified'))).toMatch(/fails: .*key values mismatch/);
  });
});

describe('a server whose certificate has expired', () => {
  beforeAll(() => server.present(shown.expired));

  it.each<[Attempt, string | RegExp]>([
    [{ sslmode: 'prefer' }, /^encrypted$/],
    [{ sslmode: 'require' }, /^encrypted$/],
    [{ sslmode: 'require', sslrootcert: 'ca' }, EXPIRED],
    [{ sslmode: 'verify-ca', sslrootcert: 'ca' }, EXPIRED],
    [{ sslmode: 'verify-full', sslrootcert: 'ca' }, EXPIRED],
  ])('%o', async (attempt, expected) => {
    expect(await outcome(urlOf(attempt))).toMatch(expected);
  });
});

describe('a server that vouches for itself', () => {
  beforeAll(() => server.present(shown.selfSigned));

  it.each<[Attempt, string | RegExp]>([
    [{ sslmode: 'prefer' }, /^encrypted$/],
    [{ sslmode: 'require' }, /^encrypted$/],
    [{ sslmode: 'require', sslrootcert: 'ca' }, SELF_SIGNED],
    [{ sslmode: 'verify-ca', sslrootcert: 'ca' }, SELF_SIGNED],
    [{ sslmode: 'verify-full', sslrootcert: 'ca' }, SELF_SIGNED],
    [{ sslmode: 'verify-full' }, SELF_SIGNED],
    [{ sslmode: 'verify-full', sslrootcert: 'ofSelfSigned' }, /^encrypted$/],
  ])('%o', async (attempt, expected) => {
    expect(await outcome(urlOf(attempt))).toMatch(expected);
  });
});

describe('a server without TLS', () => {
  beforeAll(() => server.present(undefined));

  it.each<[Attempt, string | RegExp]>([
    [{ sslmode: 'disable' }, /^plain$/],
    [{}, /^plain$/],
    [{ sslmode: 'prefer' }, /^plain$/],
    [{ sslmode: 'require' }, /does not support SSL connections/],
    [{ sslmode: 'verify-ca', sslrootcert: 'ca' }, /does not support SSL connections/],
    [{ sslmode: 'verify-full', sslrootcert: 'ca' }, /does not support SSL connections/],
  ])('%o', async (attempt, expected) => {
    expect(await outcome(urlOf(attempt))).toMatch(expected);
  });
});

describe('somebody in the way who adds words of his own before the encryption begins (CVE-2021-23222)', () => {
  it.each(['prefer', 'require', 'verify-full'])('is noticed by %s', async (sslmode) => {
    const attacker = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.write('SR\0\0\0\x08\0\0\0\0')); // "yes, TLS", and AuthenticationOk in plain text
    });
    await new Promise<void>((resolve) => attacker.listen(0, '127.0.0.1', resolve));
    const { port } = attacker.address() as AddressInfo;
    const url = `postgresql://anyhow:${server.passwords.anyhow}@127.0.0.1:${port}/postgres?sslmode=${sslmode}`;
    expect(await outcome(url)).toMatch(/error establishing an SSL connection/);
    await new Promise((resolve) => attacker.close(resolve));
  });
});

describe('a pool', () => {
  let pool: BoundedPool | undefined;
  const open = (url: string): BoundedPool => {
    pool = createPool('app', url, Object.assign(readEnv({}), { POSTGRES_POOL_SIZE: 1 }));
    return pool;
  };
  afterEach(async () => {
    await pool?.end();
    pool = undefined;
  });

  it.each<[string, Attempt, boolean]>([
    ['over TLS', { sslmode: 'verify-full', sslrootcert: 'ca' }, true],
    ['over TLS that it merely prefers', { sslmode: 'prefer' }, true],
    ['with a client’s certificate', { sslmode: 'require', sslcert: 'cert', sslkey: 'key' }, true],
    ['in plain text, though it prefers TLS', { sslmode: 'prefer' }, false],
  ])('%s cancels the statement of a caller who has gone', async (_, attempt, tls) => {
    await server.present(tls ? shown.right : undefined);
    await expectCancelled(attempt);
  });

  it('with sslnegotiation=direct cancels as well, where the server knows it (PostgreSQL 17)', async () => {
    await server.present(shown.right);
    const direct: Attempt = { sslmode: 'verify-full', sslrootcert: 'ca', sslnegotiation: 'direct' };
    const [row] = await server.query<{ version: number }>(
      `SELECT current_setting('server_version_num')::int AS version`,
    );
    if (row!.version < 170_000) return expect(await outcome(urlOf(direct))).toMatch(/ at localhost:\d+/);
    expect(await outcome(urlOf(direct))).toBe('encrypted');
    await expectCancelled(direct);
  });

  async function expectCancelled(attempt: Attempt): Promise<void> {
    const used = open(urlOf(attempt, attempt.sslcert ? 'certified' : 'anyhow'));
    const caller = new AbortController();
    const statement = whileWanted(caller.signal, () => used.query('SELECT pg_sleep(60) /* abandoned */'));
    const failure = statement.catch((error: unknown) => error);
    await eventually(async () => {
      const running = await server.query(
        `SELECT FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%abandoned%' AND pid <> pg_backend_pid()`,
      );
      expect(running).toHaveLength(1);
    });
    caller.abort();
    // Its own bound of 10 s says "statement timeout".
    expect(await failure).toMatchObject({ code: '57014', message: 'canceling statement due to user request' });
  }

  it('tells callers of a certificate that has expired meanwhile as of any other loss of its server, and recovers', async () => {
    await server.present(shown.right);
    const url = urlOf({ sslmode: 'verify-full', sslrootcert: 'ca' });
    await open(url).query('SELECT 1');
    await pool?.end();
    await server.present(shown.expired);
    const error: unknown = await open(url)
      .query('SELECT 1')
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'CERT_HAS_EXPIRED' });
    expect(asDomainError(error)).toMatchObject({ code: 'database_unavailable' });
    await server.present(shown.right);
    expect((await pool!.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });
});
