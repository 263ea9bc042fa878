import { existsSync } from 'node:fs';
import path from 'node:path';
import { URL_VARIABLES } from '../../src/config/bootstrap-env';
import { Env, readEnv } from '../../src/config/env';
import { parseConnectionString, refusePlainText } from '../../src/database/connection-string';
import { STATISTICS_SETTINGS } from '../../src/database/statement-statistics';
import { composeText, environmentOf, interpolated, services, volumes } from '../support/compose-file';
import { readText as read } from '../support/monitoring-files';
import { ROOT } from '../support/source-tree';

const dockerfile = read('Dockerfile');
const finalStage = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));
const example = readExample(read('.env.example'));

/** What src/config reads: the application's variables, the bootstrap's and the backups'. */
const appVariables = variablesOf('src/config/env.ts');
const bootstrapVariables = ['POSTGRES_ADMIN_URL', 'POSTGRES_DATABASE', ...Object.values(URL_VARIABLES)];

const backupVariables = ['backup-env.ts', 'backup-bucket.ts', 'backup-engine.ts', 'backup-schedule.ts']
  .flatMap((file) => [
    ...read(`src/config/${file}`).matchAll(/\b(?:BACKUP|DRILL|PGBACKREST|POSTGRES|TENANT)_[A-Z0-9_]*[A-Z]\b/g),
  ])
  .map(([name]) => name)
  .filter((name) => !name.endsWith('_FILE')); // any secret may stand in one

/** Of the image's own documentation: https://hub.docker.com/_/postgres */
const POSTGRES_IMAGE_VARIABLES = ['POSTGRES_PASSWORD', 'POSTGRES_USER', 'POSTGRES_DB', 'POSTGRES_INITDB_ARGS'];

/** What only docker-compose.yml reads. */
const COMPOSE_VARIABLES = ['POSTGRES_ADMIN_PASSWORD', 'GRAFANA_ADMIN_PASSWORD'];

/** The properties of the class Env, those without a default included. */
function variablesOf(file: string): string[] {
  return [...read(file).matchAll(/^ {2}([A-Z][A-Z0-9_]+)(\?:|:| =)/gm)].map((match) => match[1]!);
}

/** Each line `NAME=value` or `#NAME=value`. */
function readExample(text: string): Map<string, { value: string; active: boolean }> {
  const lines = text.matchAll(/^(#?)([A-Z][A-Z0-9_]+)=(.*)$/gm);
  return new Map([...lines].map(([, hash, name, value]) => [name!, { value: value!, active: hash === '' }]));
}

describe('.env.example', () => {
  it('names every variable that the program reads, and no other', () => {
    const known = new Set([...appVariables, ...bootstrapVariables, ...backupVariables, ...COMPOSE_VARIABLES]);
    expect([...example.keys()].toSorted()).toEqual([...known].toSorted());
  });

  it('shows the defaults of the code', () => {
    const env = readEnv({}) as unknown as Record<string, unknown>;
    const shown = [...example].filter(([name, { active, value }]) => !active && value !== '' && name in env);
    expect(shown.length).toBeGreaterThan(5);
    for (const [name, { value }] of shown) expect(`${name}=${value}`).toBe(`${name}=${String(env[name])}`);
  });

  it('holds no secret: what it shows of one is refused in production', () => {
    const given = Object.fromEntries(
      [...example].filter(([, { active }]) => active).map(([name, { value }]) => [name, value]),
    );
    for (const name of ['SECRET_KEY', 'METRICS_TOKEN', 'BOOTSTRAP_ADMIN_PASSWORD', ...COMPOSE_VARIABLES])
      expect(given[name]).toBe('');
    const secretKey = Buffer.alloc(32, 7).toString('base64');
    expect(() => readEnv({ ...given, NODE_ENV: 'production', SECRET_KEY: secretKey })).toThrow(
      /POSTGRES_URL is a sample value/,
    );
  });
});

describe('docker-compose.yml', () => {
  it('gives the services variables that their programs read', () => {
    expect(appVariables).toEqual(expect.arrayContaining(environmentOf('app')));
    expect([...bootstrapVariables, 'POSTGRES_ALLOW_PLAINTEXT']).toEqual(expect.arrayContaining(environmentOf('setup')));
    expect(POSTGRES_IMAGE_VARIABLES).toEqual(expect.arrayContaining(environmentOf('postgres')));
  });

  it('gives the application what production needs, and no login that may change what it likes', () => {
    const values = Object.entries(services.app.environment!).map(([name, value]) => [
      name,
      interpolated(value).length > 0 ? sampleOf(name) : value,
    ]);
    const env = readEnv({ ...Object.fromEntries(values), NODE_ENV: 'production' });
    const logins = environmentOf('app').filter((name) => /^POSTGRES_.*URL$/.test(name));
    expect(logins.toSorted()).toEqual(['POSTGRES_MONITOR_URL', 'POSTGRES_PLATFORM_URL', 'POSTGRES_URL']);
    // Between containers there is no TLS, which production refuses unless told.
    expect(() => refusePlainText(parseConnectionString(env.POSTGRES_URL!))).toThrow('POSTGRES_ALLOW_PLAINTEXT=true');
    expect([env.POSTGRES_ALLOW_PLAINTEXT, services.setup.environment!.POSTGRES_ALLOW_PLAINTEXT]).toEqual([
      true,
      'true',
    ]);
  });

  it('gives the bootstrap every login, so that none gets a password which nobody knows', () => {
    expect(environmentOf('setup')).toEqual(expect.arrayContaining(Object.values(URL_VARIABLES)));
  });

  it('takes every secret from .env, and fails where one is missing', () => {
    for (const { environment } of Object.values(services)) {
      for (const [name, value] of Object.entries(environment ?? {})) {
        const parts = interpolated(value);
        expect([name, parts.length > 0 || !isSecret(name)]).toEqual([name, true]);
        for (const { rest } of parts)
          expect([name, rest]).toEqual([name, isSecret(name) ? ':?set it in .env' : expect.any(String)]);
      }
    }
    for (const { name } of interpolated(composeText)) expect([...example.keys()]).toContain(name);
    expect(composeText).not.toMatch(/:\/\/[^:/\s]+:[^$@\s][^@\s]*@/); // a literal password in a URL
  });

  it('leaves no required variable empty-handed: each stands uncommented in .env.example', () => {
    const required = interpolated(composeText).filter(({ rest }) => rest.startsWith(':?'));
    for (const { name } of required) expect([name, example.get(name)?.active]).toEqual([name, true]);
  });

  it('runs images of their makers, of a named version', () => {
    const images = Object.values(services)
      .filter(({ build }) => !build)
      .map(({ image }) => image);
    expect(images).toEqual([
      expect.stringMatching(/^postgres:\d+$/),
      expect.stringMatching(/^prom\/prometheus:v\d+\.\d+\.\d+$/),
      expect.stringMatching(/^grafana\/grafana:\d+\.\d+\.\d+$/),
    ]);
  });

  it('starts PostgreSQL as the embedded one is started: it counts statements', () => {
    const settings = Object.entries(STATISTICS_SETTINGS).map(([name, value]) => `--${name}=${value}`);
    expect(services.postgres.command).toEqual(['postgres', ...settings]);
  });

  it('keeps the data of PostgreSQL 18 where its image writes it', () => {
    expect(services.postgres.volumes).toEqual(['postgres:/var/lib/postgresql']);
    expect(Object.keys(volumes)).toContain('postgres');
    expect(services.postgres.ports).toBeUndefined();
  });

  it('starts in order: PostgreSQL, the logins and migrations, PgBouncer, the application', () => {
    expect(services.setup.depends_on).toEqual({ postgres: { condition: 'service_healthy' } });
    expect(services.app.depends_on).toEqual({
      setup: { condition: 'service_completed_successfully' },
      pgbouncer: { condition: 'service_healthy' },
    });
    expect(services.postgres.healthcheck?.test).toContain('pg_isready');
  });

  it('runs commands that exist', () => {
    const command = services.setup.command!.join(' ');
    const scripts = [...command.matchAll(/dist\/(\S+)\.js/g)].map((match) => `src/${match[1]}.ts`);
    expect(scripts).toEqual(['src/cli/db-bootstrap.ts']);
    for (const script of scripts) expect([script, existsSync(path.join(ROOT, script))]).toEqual([script, true]);
    for (const [bin] of command.matchAll(/node_modules\/\.bin\/\S+/g))
      expect(existsSync(path.join(ROOT, bin))).toBe(true);
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
    expect(dependencies).toHaveProperty('prisma'); // a dev dependency would be missing from the image
  });

  it('publishes the port on which the image listens', () => {
    const port = new Env().PORT;
    expect(services.app.ports).toEqual([`${port}:${port}`]);
    expect(services.app.environment).not.toHaveProperty('PORT');
    expect(finalStage).toMatch(new RegExp(`^ENV .*\\bPORT=${port}\\b`, 'm'));
    expect(finalStage).toMatch(new RegExp(`^EXPOSE ${port}$`, 'm'));
  });

  it('gives what is built here no rights that it does not need', () => {
    for (const [service, build] of [
      [services.app, '.'],
      [services.setup, '.'],
      [services.pgbouncer, 'ops/pgbouncer'],
    ] as const) {
      expect(service).toMatchObject({
        build,
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      });
      expect([service.user, service.privileged]).toEqual([undefined, undefined]);
    }
  });
});

describe('Dockerfile', () => {
  it('builds on the official Node image of a version that package.json allows', () => {
    const images = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map((match) => match[1]!);
    expect(new Set(images).size).toBe(1);
    expect(images[0]).toMatch(/^node:(2[0-9])-slim$/);
  });

  it('does not run as root', () => {
    const users = [...finalStage.matchAll(/^USER (\S+)$/gm)].map((match) => match[1]);
    expect(users).toEqual(['node']);
    expect(finalStage.indexOf('\nUSER ')).toBeGreaterThan(finalStage.lastIndexOf('\nCOPY '));
    expect(finalStage).not.toMatch(/^COPY .*--chown/m); // the program cannot change itself
  });

  it('starts the program as production, and asks it whether it lives', () => {
    expect(finalStage).toMatch(/^ENV NODE_ENV=production HOST=0\.0\.0\.0 /m);
    expect(finalStage).toMatch(/^CMD \["node", "dist\/main\.js"\]$/m);
    expect(existsSync(path.join(ROOT, 'src/main.ts'))).toBe(true);
    expect(finalStage).toMatch(/HEALTHCHECK [\s\S]*\/health\/live/);
  });

  it('copies what exists, and what .dockerignore lets through', () => {
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap((match) => match[1]!.split(' '));
    const letThrough = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    expect(copied.toSorted()).toEqual(letThrough.toSorted());
    for (const name of copied) expect([name, existsSync(path.join(ROOT, name))]).toEqual([name, true]);
  });

  it('holds no secret', () => {
    expect(dockerfile).not.toMatch(/^(ARG|ENV) .*(SECRET|PASSWORD|TOKEN|POSTGRES_)/m);
  });
});

/** Whether a variable holds a secret, or (an e-mail address) what must be chosen as carefully. */
function isSecret(name: string): boolean {
  return /SECRET|PASSWORD|TOKEN|EMAIL|_URL$/.test(name);
}

/** A value with which production starts. */
function sampleOf(name: string): string {
  if (name.endsWith('_URL')) return 'postgresql://login:0f1e2d@postgres:5432/tenantry';
  if (name === 'SECRET_KEY') return Buffer.alloc(32, 7).toString('base64');
  if (name === 'METRICS_TOKEN') return '0f1e2d3c4b5a69788796';
  if (name === 'BOOTSTRAP_ADMIN_EMAIL') return 'admin@tenantry.test';
  if (name === 'BOOTSTRAP_ADMIN_PASSWORD') return 'a long pass phrase';
  return '';
}
