import { existsSync } from 'node:fs';
import path from 'node:path';
import { readPostgresUrl } from '../../src/common/postgres-url';
import { Env } from '../../src/config/env';
import { environmentOf, services } from '../support/compose-file';
import { readText } from '../support/monitoring-files';
import { ROOT } from '../support/source-tree';

const FOLDER = 'ops/pgbouncer';
/** PostgreSQL's default, with which the compose file leaves it. */
const MAX_CONNECTIONS = 100;

const dockerfile = readText(`${FOLDER}/Dockerfile`);
const settings = new Map(
  [...readText(`${FOLDER}/pgbouncer.ini`).matchAll(/^(\S+) = (.*)$/gm)].map(([, name, value]) => [name!, value!]),
);
const port = settings.get('listen_port');

/** Where `.env.example` sends each login. */
const hosts = new Map(
  [...readText('.env.example').matchAll(/^(POSTGRES_\w*URL)=(\S+)$/gm)].map(([, name, url]) => {
    const [host] = readPostgresUrl(url!)!.hosts;
    return [name, `${host!.host}:${host!.port}`];
  }),
);

describe('PgBouncer in docker compose', () => {
  it('stands before the serving logins only: migrations, the monitor and backups need a session of their own', () => {
    expect(Object.fromEntries(hosts)).toEqual({
      POSTGRES_URL: `pgbouncer:${port}`,
      POSTGRES_PLATFORM_URL: `pgbouncer:${port}`,
      POSTGRES_OWNER_URL: 'postgres:5432',
      POSTGRES_MONITOR_URL: 'postgres:5432',
      POSTGRES_BACKUP_URL: 'postgres:5432',
    });
    expect(settings.get('*')).toBe('host=postgres port=5432');
    expect(environmentOf('pgbouncer')).toEqual(['POSTGRES_URL', 'POSTGRES_PLATFORM_URL']);
  });

  it('lends connections for a transaction, and does not take more than the server has', () => {
    expect(settings.get('pool_mode')).toBe('transaction');
    const logins = environmentOf('pgbouncer').length;
    expect(logins * Number(settings.get('default_pool_size'))).toBeLessThan(MAX_CONNECTIONS / 2);
    const { POSTGRES_POOL_SIZE, POSTGRES_PLATFORM_POOL_SIZE, POSTGRES_CONNECT_TIMEOUT_MS } = new Env();
    const instances = Number(settings.get('max_client_conn')) / (POSTGRES_POOL_SIZE + POSTGRES_PLATFORM_POOL_SIZE);
    expect(instances).toBeGreaterThan(10);
    expect(Number(settings.get('query_wait_timeout')) * 1000).toBeLessThan(POSTGRES_CONNECT_TIMEOUT_MS);
  });

  it('is built of what exists, listens where it says, and is not root', () => {
    expect(services.pgbouncer.build).toBe(FOLDER);
    const copied = [...dockerfile.matchAll(/^COPY (\S+) \S+$/gm)].map(([, file]) => file!);
    expect(copied.toSorted()).toEqual(['pgbouncer.ini', 'start.sh']);
    for (const file of copied) expect(existsSync(path.join(ROOT, FOLDER, file))).toBe(true);
    expect(dockerfile).toMatch(/^FROM debian:12\.\d+-slim$/m);
    expect(dockerfile).toMatch(new RegExp(`^EXPOSE ${port}$`, 'm'));
    expect(dockerfile).toMatch(/^USER postgres$/m);
    expect(services.pgbouncer.healthcheck!.test!.join(' ')).toContain(`/dev/tcp/127.0.0.1/${port}`);
    // All else is read-only there.
    expect(services.pgbouncer.tmpfs).toEqual([path.posix.dirname(settings.get('auth_file')!)]);
    expect(readText(`${FOLDER}/start.sh`)).toContain(settings.get('auth_file'));
  });
});
