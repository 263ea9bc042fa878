import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { StartupError } from '../common/errors';
import { readPostgresUrl, writePostgresUrl } from '../common/postgres-url';
import { clientConfig } from './client-config';
import { type ConnectionTarget, parseConnectionString, refusePlainText } from './connection-string';
import { PreferTlsConnection } from './prefer-tls-connection';

const parse = (text: string): ConnectionTarget => parseConnectionString(text, 'POSTGRES_URL');
/** How pg would connect to the first host. */
const configOf = (text: string) => clientConfig(parse(text), parse(text).hosts[0]!);

let directory: string;
let file: (name: string) => string;
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tenantry-pem-'));
  for (const name of ['ca', 'cert', 'key']) writeFileSync(path.join(directory, name), `PEM of ${name}`);
  file = (name) => encodeURIComponent(path.join(directory, name));
});
afterAll(() => rmSync(directory, { recursive: true }));

describe('parseConnectionString', () => {
  it('reads user, password, host, port and database, each decoded', () => {
    expect(parse('postgresql://u%40x:p%2F%3A%25@db.test:6432/my%20db')).toMatchObject({
      hosts: [{ host: 'db.test', port: 6432 }],
      user: 'u@x',
      password: 'p/:%',
      database: 'my db',
      sessionAttributes: 'any',
    });
  });

  it.each([
    ['no port', 'postgres://u@h/d', [{ host: 'h', port: 5432 }]],
    ['an IPv6 address', 'postgresql://u@[::1]:5433/d', [{ host: '::1', port: 5433 }]],
    ['an @ in the password', 'postgresql://u:a@b@h/d', [{ host: 'h', port: 5432 }]],
    ['a socket', 'postgresql://u@localhost/d?host=%2Frun%2Fpg', [{ host: '/run/pg', port: 5432 }]],
    ['a socket as the host', 'postgresql://u@%2Frun%2Fpg:5433/d', [{ host: '/run/pg', port: 5433 }]],
    [
      'several hosts',
      'postgresql://u@h1:1,h2:2,h3/d',
      [
        { host: 'h1', port: 1 },
        { host: 'h2', port: 2 },
        { host: 'h3', port: 5432 },
      ],
    ],
    [
      'several sockets and one port',
      'postgresql://u@/d?host=/a,/b&port=7',
      [
        { host: '/a', port: 7 },
        { host: '/b', port: 7 },
      ],
    ],
  ])('understands %s', (_, text, hosts) => {
    expect(parse(text).hosts).toEqual(hosts);
  });

  it('means the server that takes writes where several hosts stand and nothing else is said', () => {
    expect(parse('postgresql://u@a,b/d').sessionAttributes).toBe('read-write');
    expect(parse('postgresql://u@a,b/d?target_session_attrs=any').sessionAttributes).toBe('any');
    expect(parseConnectionString('postgresql://u@a,b/d', 'X', 'prefer-standby').sessionAttributes).toBe(
      'prefer-standby',
    );
    expect(parse('postgresql://u@a/d').sessionAttributes).toBe('any');
  });

  it('passes on what a connection is to be called, and how long it may take to make', () => {
    const target = parse('postgresql://u@h/d?application_name=mine&options=-c%20geqo%3Doff&connect_timeout=3');
    expect(target).toMatchObject({
      startup: { application_name: 'mine', options: '-c geqo=off' },
      connectTimeoutMs: 3_000,
    });
    expect(parse('postgresql://u@h').database).toBe('u');
  });

  it.each([
    ['another scheme', 'mysql://u:s3cret@h/d'],
    ['a port that is none', 'postgresql://u:s3cret@h:s3cret/d'],
    ['a port out of range', 'postgresql://u:s3cret@h:70000/d'],
    ['a slash in the password', 'postgresql://u:s3/cret@h/d'],
    ['a number sign in the password', 'postgresql://u:s3#s3cret@h/d'],
    ['a lone per cent sign', 'postgresql://u:s3cret%@h/d'],
    ['no user', 'postgresql://h/s3cret'],
    ['hosts and ports of different number', 'postgresql://u:s3cret@/d?host=/a,/b&port=1,2,3'],
    ['an unknown parameter', 'postgresql://u:s3cret@h/d?ssl_mode=s3cret'],
    ['half a password as a parameter', 'postgresql://u:p?S3cret=1@h/d'],
    ['an unknown sslmode', 'postgresql://u:s3cret@h/d?sslmode=s3cret'],
    ['pg’s own sslmode', 'postgresql://u:s3cret@h/d?sslmode=no-verify'],
    ['verify-ca without an authority', 'postgresql://u:s3cret@h/d?sslmode=verify-ca'],
    ['a certificate without its key', 'postgresql://u:s3cret@h/d?sslmode=require&sslcert=/s3cret'],
    ['a file that is not there', 'postgresql://u:s3cret@h/d?sslmode=verify-full&sslrootcert=/s3cret'],
    ['system authorities under less than verify-full', 'postgresql://u:s3cret@h/d?sslmode=require&sslrootcert=system'],
    ['unknown session attributes', 'postgresql://u:s3cret@h/d?target_session_attrs=s3cret'],
    ['a timeout that is none', 'postgresql://u:s3cret@h/d?connect_timeout=s3cret'],
  ])('refuses %s, naming the variable and not the value', (_, text) => {
    expect(() => parse(text)).toThrow(StartupError);
    expect(() => parse(text)).toThrow('POSTGRES_URL');
    expect(() => parse(text)).not.toThrow(/s3|cret/i);
  });
});

describe('sslmode', () => {
  it('disable, and any mode over a socket, is plain text', () => {
    expect(configOf('postgresql://u@h/d?sslmode=disable').ssl).toBe(false);
    expect(configOf('postgresql://u@localhost/d?host=/run&sslmode=require').ssl).toBe(false);
  });

  it('prefer is the default: encrypted without a check where the server can', () => {
    for (const text of ['postgresql://u@h/d', 'postgresql://u@h/d?sslmode=prefer']) {
      const { ssl, ...config } = configOf(text);
      expect(ssl).toMatchObject({ rejectUnauthorized: false });
      expect((config as { connection?: unknown }).connection).toBeInstanceOf(PreferTlsConnection);
    }
  });

  it('require asks for encryption; with an authority it checks the chain, as verify-ca does', () => {
    expect(configOf('postgresql://u@h/d?sslmode=require').ssl).toMatchObject({ rejectUnauthorized: false });
    expect(configOf('postgresql://u@h/d?ssl=true')).not.toHaveProperty('connection');
    for (const mode of ['require', 'verify-ca']) {
      const { ssl } = configOf(`postgresql://u@h/d?sslmode=${mode}&sslrootcert=${file('ca')}`);
      expect(ssl).toMatchObject({
        rejectUnauthorized: true,
        ca: 'PEM of ca',
        checkServerIdentity: expect.any(Function),
      });
    }
  });

  it('verify-full checks chain and name, against one’s own authority or those that Node trusts', () => {
    for (const root of ['', '&sslrootcert=system', `&sslrootcert=${file('ca')}`]) {
      const { ssl } = configOf(`postgresql://u@h/d?sslmode=verify-full${root}`);
      expect(ssl).toMatchObject({ rejectUnauthorized: true });
      expect(ssl).not.toHaveProperty('checkServerIdentity');
    }
    expect(configOf('postgresql://u@h/d?sslrootcert=system').ssl).not.toHaveProperty('ca');
  });

  it('presents a certificate, and takes a renewed one for the next connection', () => {
    const target = parse(`postgresql://u@h/d?sslmode=require&sslcert=${file('cert')}&sslkey=${file('key')}`);
    expect(clientConfig(target, target.hosts[0]!).ssl).toMatchObject({ cert: 'PEM of cert', key: 'PEM of key' });
    writeFileSync(path.join(directory, 'cert'), 'renewed');
    expect(clientConfig(target, target.hosts[0]!).ssl).toMatchObject({ cert: 'renewed' });
    rmSync(path.join(directory, 'cert'));
    expect(clientConfig(target, target.hosts[0]!).ssl).toMatchObject({ cert: 'renewed' });
    writeFileSync(path.join(directory, 'cert'), 'PEM of cert');
  });
});

describe('refusePlainText', () => {
  it.each([
    'postgresql://u:s3cret@db.test/d',
    'postgresql://u:s3cret@db.test/d?sslmode=prefer',
    'postgresql://u:s3cret@db.test/d?sslmode=disable',
    'postgresql://u:s3cret@localhost,10.0.0.5/d',
    'postgresql://u:s3cret@127.0.0.1.example.com/d',
  ])('refuses %s', (text) => {
    expect(() => refusePlainText(parse(text))).toThrow(/^POSTGRES_URL would connect .* POSTGRES_ALLOW_PLAINTEXT=true/);
    expect(() => refusePlainText(parse(text))).not.toThrow('s3cret');
  });

  it.each([
    'postgresql://u@db.test/d?sslmode=require',
    'postgresql://u@db.test/d?sslmode=verify-full',
    'postgresql://u@localhost/d',
    'postgresql://u@127.0.0.1,[::1]/d?sslmode=disable',
    'postgresql://u@localhost/d?host=/run/postgresql',
  ])('lets %s pass', (text) => {
    expect(() => refusePlainText(parse(text))).not.toThrow();
  });
});

describe('writePostgresUrl', () => {
  it.each([
    'postgresql://u%40x:p%2F%3A%25@db.test:6432/my%20db?sslmode=require',
    'postgresql://u:p@h1:5432,[::1]:5433/d',
    'postgresql://u:p@localhost/d?host=%2Frun%2Fpg',
    'postgresql://u:p@localhost/d?host=%2Fa%2C%2Fb&port=1%2C2',
  ])('writes what was read: %s', (text) => {
    expect(writePostgresUrl(readPostgresUrl(text)!)).toBe(text);
  });
});
