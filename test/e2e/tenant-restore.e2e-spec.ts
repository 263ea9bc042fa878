import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import pg from 'pg';
import { BootstrapAdministrator } from '../../src/auth/bootstrap-administrator';
import { receiveContinuously } from '../../src/backups/native/continuous-receiver';
import { NativeEngine } from '../../src/backups/native/native-engine';
import type { TenantRestoreDto } from '../../src/backups/tenant-restores/tenant-restore.dto';
import { type BackupEnv, readBackupEnv } from '../../src/config/backup-env';
import { readEnv } from '../../src/config/env';
import { createApp } from '../../src/create-app';
import { createDocument } from '../../src/openapi';
import { ApiClient } from '../support/api-client';
import { createTestApp, newPassword } from '../support/app';
import { buildProject, copyProject, type ProjectCopy } from '../support/built-project';
import { eventually } from '../support/eventually';
import { OwnServer } from '../support/own-server';
import { Recorder } from '../support/recorder';
import { ServerProcess } from '../support/server-process';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

const RESTORES = '/v1/platform/tenant-restores';
const PATIENCE_MS = 120_000;
/** Of both instances. */
const SECRET_KEY = randomBytes(32).toString('base64');
const PASSWORD = newPassword();

let project: ProjectCopy;
let server: OwnServer;
let directory: string;
let variables: Record<string, string>;
let backups: BackupEnv;
let app: NestFastifyApplication;
let administrator: ApiClient;
let admin: pg.Client;
let tenant: { id: string; slug: string };
/** When the role was there. */
let at: string;
const stop = new AbortController();
let receiving: Promise<void>;

beforeAll(async () => {
  project = copyProject();
  buildProject(project);
  server = await OwnServer.start();
  directory = makeTestDirectory();
  mkdirSync(path.join(directory, 'data'));
  variables = {
    POSTGRES_URL: server.urls.app,
    POSTGRES_BACKUP_URL: server.urls.backup,
    BACKUP_DIR: path.join(directory, 'repository'),
    BACKUP_KEY: randomBytes(32).toString('base64'),
    BACKUP_SCHEDULE: 'off',
    DRILL_SCHEDULE: 'off',
    BACKUP_RECEIVE: 'off',
    DATA_DIR: path.join(directory, 'data'),
    ...(process.env.TEST_POSTGRES_BIN && { POSTGRES_BIN_DIR: process.env.TEST_POSTGRES_BIN }),
  };
  backups = readBackupEnv(variables);
  admin = new pg.Client({ connectionString: server.adminUrl() });
  await admin.connect();
  const engine = NativeEngine.open(backups);
  const url = (): string => server.urls.backup;
  const ignore = (): void => undefined;
  receiving = receiveContinuously(
    { store: engine.store, url, everyMs: 3_000, onGap: ignore, onFailure: ignore },
    stop.signal,
  );
  ({ app, administrator } = await startApp());
  tenant = (
    await administrator
      .post<typeof tenant>('/v1/tenants', {
        name: 'Acme',
        slug: 'acme',
        owner: { email: 'ada@acme.test', name: 'Ada' },
      })
      .expect(201)
  ).body;
  await administrator
    .post(rolesPath(), { name: 'Billing', permissions: [{ subject: 'User', action: 'read' }] })
    .expect(201);
  await engine.createBackup({ checkpoint: 'fast' });
  const { rows } = await admin.query<{ now: Date }>("SELECT clock_timestamp() + interval '1 ms' AS now");
  at = rows[0]!.now.toISOString();
  await sleep(20);
  await deleteRole();
  await eventually(async () => {
    const { until } = await engine.planRestore({ moment: { kind: 'latest' } });
    expect(until.getTime()).toBeGreaterThan(Date.parse(at));
  }, PATIENCE_MS);
}, 300_000);
afterAll(async () => {
  stop.abort();
  await receiving;
  await app?.close();
  await admin?.end();
  await server?.remove();
  project?.remove();
  removeTestDirectory(directory);
});

async function startApp(): Promise<{ app: NestFastifyApplication; administrator: ApiClient }> {
  const env = Object.assign(readEnv({ NODE_ENV: 'test', DATA_DIR: directory }), {
    SECRET_KEY,
    BOOTSTRAP_ADMIN_EMAIL: 'administrator@tenantry.test',
    BOOTSTRAP_ADMIN_PASSWORD: PASSWORD,
  });
  const nest = await createApp(env, server.urls, false, [], backups);
  await nest.listen(0, '127.0.0.1');
  await nest.get(BootstrapAdministrator).ensureAdministrator();
  const target = { url: await nest.getUrl(), recorder: new Recorder(createDocument(nest)) };
  const { body } = await new ApiClient(target, {})
    .post<{ accessToken: string }>('/v1/auth/login', {
      email: env.BOOTSTRAP_ADMIN_EMAIL,
      password: env.BOOTSTRAP_ADMIN_PASSWORD,
    })
    .expect(200);
  return { app: nest, administrator: new ApiClient(target, { authorization: `Bearer ${body.accessToken}` }) };
}

const rolesPath = (): string => `/v1/tenants/${tenant.id}/roles`;

async function findRole(): Promise<{ id: string; version: number } | undefined> {
  const { body } = await administrator
    .get<{ data: { id: string; version: number; name: string }[] }>(rolesPath())
    .expect(200);
  return body.data.find(({ name }) => name === 'Billing');
}

async function deleteRole(): Promise<void> {
  const role = await findRole();
  await administrator.delete(`${rolesPath()}/${role!.id}`).set('if-match', `"${role!.version}"`).expect(204);
}

/** Asks for a restore, and waits for its end. */
async function restore(body: object): Promise<TenantRestoreDto> {
  const accepted = await administrator.post<TenantRestoreDto>(RESTORES, { tenant: 'acme', at, ...body }).expect(202);
  expect(accepted.headers.location).toBe(`${RESTORES}/${accepted.body.id}`);
  expect(accepted.body).toMatchObject({ status: 'running', restoredTenantId: tenant.id, at });
  return ended(accepted.body.id);
}

function ended(id: string): Promise<TenantRestoreDto> {
  return eventually(async () => {
    const { body } = await administrator.get<TenantRestoreDto>(`${RESTORES}/${id}`).expect(200);
    expect(body.status).not.toBe('running');
    return body;
  }, PATIENCE_MS);
}

/** `tenantry tenant …` */
const start = (...args: string[]): ServerProcess =>
  new ServerProcess(project.directory, variables, [process.execPath, 'dist/cli/tenantry.js', 'tenant', ...args]);
async function run(...args: string[]): Promise<{ code: number | null; output: string }> {
  const command = start(...args);
  const { code } = await command.ended;
  return { code, output: command.output };
}

describe('POST /v1/platform/tenant-restores', () => {
  it('shows the difference in a dry run, and changes nothing', async () => {
    const shown = await restore({ mode: 'dry-run' });
    expect(shown).toMatchObject({ status: 'succeeded', progress: null, findings: [], error: null, undoUntil: null });
    expect(shown.difference!.find(({ table }) => table === 'app.roles')).toEqual({
      table: 'app.roles',
      onlyThen: 1,
      onlyNow: 0,
      changed: 0,
      same: 4,
    });
    expect(await findRole()).toBeUndefined();
  }, 300_000);

  it('restores in place, on record in both trails, and takes it back', async () => {
    const done = await restore({ mode: 'in-place' });
    expect(done).toMatchObject({ status: 'succeeded', mode: 'in-place' });
    expect(Date.parse(done.undoUntil!)).toBeGreaterThan(Date.now() + 6 * 86_400_000);
    // A client that held version 1 of the role that was deleted cannot pass for knowing this one.
    expect((await findRole())!.version).toBeGreaterThan(1_000_000);
    for (const trail of [`/v1/tenants/${tenant.id}/audit-events`, '/v1/platform/audit-events']) {
      const { body } = await administrator.get<{ data: object[] }>(`${trail}?action=tenant.data_restored`).expect(200);
      expect(body.data).toMatchObject([
        { actor: { type: 'platform' }, after: { restoreId: done.id, mode: 'in-place' } },
      ]);
    }
    const { body } = await administrator.post<TenantRestoreDto>(`${RESTORES}/${done.id}/undo`, {}).expect(200);
    expect(body).toMatchObject({ status: 'undone', undoUntil: null });
    expect(await findRole()).toBeUndefined();
    (await administrator.post(`${RESTORES}/${done.id}/undo`, {})).expectProblem(409, 'restore_not_undoable');
  }, 300_000);

  it('is not undone over what was written since, unless that is said', async () => {
    const { id } = await restore({ mode: 'in-place' });
    await administrator.post(rolesPath(), { name: 'New', permissions: [] }).expect(201);
    (await administrator.post(`${RESTORES}/${id}/undo`, {})).expectProblem(409, 'restore_written_since');
    expect(await findRole()).toBeDefined();
    await administrator.post(`${RESTORES}/${id}/undo`, { force: true }).expect(200);
    expect(await findRole()).toBeUndefined();
  }, 300_000);

  it('names why it failed', async () => {
    expect(await restore({ mode: 'in-place', at: '2020-01-01T00:00:00Z' }).catch(() => undefined)).toBeUndefined();
    const { body } = await administrator.get<{ data: TenantRestoreDto[] }>(RESTORES).query({ limit: 1 }).expect(200);
    expect(await ended(body.data[0]!.id)).toMatchObject({ status: 'failed', error: { code: 'outside_coverage' } });
  }, 300_000);

  it('refuses what cannot be meant', async () => {
    const ask = (body: object) => administrator.post(RESTORES, { tenant: 'acme', at, mode: 'dry-run', ...body });
    (await ask({ tenant: 'nobody' })).expectProblem(404, 'not_found');
    (await ask({ mode: 'side-by-side' })).expectProblem(422, 'invalid_input');
    (await ask({ intoSlug: 'acme-then' })).expectProblem(422, 'invalid_input');
    (await ask({ at: '10:15' })).expectProblem(422, 'invalid_input');
  });

  it('says so where there are no backups', async () => {
    const without = await createTestApp();
    try {
      (await without.administrator.post(RESTORES, { tenant: 'acme', at, mode: 'dry-run' })).expectProblem(
        409,
        'backups_not_configured',
      );
    } finally {
      await without.close();
    }
  }, 60_000);
});

describe('tenantry tenant restore', () => {
  it('shows the difference first, and changes nothing until told so', async () => {
    const shown = await run('restore', 'acme', '--at', at);
    expect(shown).toMatchObject({ code: 0 });
    expect(shown.output).toMatch(/app\.roles +1 +0 +0 +4/);
    expect(shown.output).toContain('Nothing was changed.');
    const refused = await run('restore', 'acme', '--at', at, '--in-place');
    expect(refused).toMatchObject({ code: 2, output: expect.stringContaining('say --yes') as string });
    expect(await findRole()).toBeUndefined();
  }, 300_000);

  it('restores in place, lists what it did, and takes it back', async () => {
    const done = await run('restore', 'acme', '--at', at, '--in-place', '--yes', '--json');
    expect(done).toMatchObject({ code: 0 });
    const { id } = JSON.parse(done.output) as { id: string };
    expect(await findRole()).toBeDefined();
    expect((await run('restores', 'acme')).output).toMatch(new RegExp(`^${id} .+ in-place +succeeded +\\d{4}-`, 'm'));
    expect(await run('restore', '--undo', id, '--yes')).toMatchObject({ code: 0 });
    expect(await findRole()).toBeUndefined();
  }, 300_000);

  it('restores beside, into a suspended tenant', async () => {
    expect(await run('restore', tenant.id, '--at', at, '--into', 'acme-then', '--yes')).toMatchObject({ code: 0 });
    const { body } = await administrator
      .get<{ data: { id: string; status: string }[] }>('/v1/tenants')
      .query({ q: 'acme-then' })
      .expect(200);
    expect(body.data).toMatchObject([{ status: 'suspended' }]);
    const roles = await administrator
      .get<{ data: { name: string }[] }>(`/v1/tenants/${body.data[0]!.id}/roles`)
      .expect(200);
    expect(roles.body.data.map(({ name }) => name)).toContain('Billing');
    expect(await findRole()).toBeUndefined();
  }, 300_000);

  it('says what it does not understand', async () => {
    expect(await run('restore', 'nobody', '--at', at)).toMatchObject({ code: 2 });
    expect(await run('restore', 'acme')).toMatchObject({ code: 2 });
    expect(await run('restore', 'acme', '--at', at, '--in-place', '--into', 'x')).toMatchObject({ code: 2 });
    expect((await run('restore', '--help')).output).toContain('Examples:');
  }, 120_000);

  it('killed in the middle it has changed nothing, and the next one cleans up after it', async () => {
    const before = await admin.query('SELECT id FROM ops.tenant_restores');
    const killed = start('restore', 'acme', '--at', at, '--in-place', '--yes');
    const scratch = path.join(directory, 'data', 'tenant-restores');
    await eventually(async () => {
      expect(existsSync(scratch) ? readdirSync(scratch) : []).not.toEqual([]);
      await Promise.resolve();
    }, PATIENCE_MS);
    killed.kill('SIGKILL');
    await killed.ended;
    expect(await findRole()).toBeUndefined();
    expect(readdirSync(scratch)).not.toEqual([]);
    expect(await run('restore', 'acme', '--at', at)).toMatchObject({ code: 0 });
    expect(readdirSync(scratch)).toEqual([]);
    const { rows } = await admin.query<{ status: string; error_code: string | null }>(
      'SELECT status, error_code FROM ops.tenant_restores WHERE NOT id = ANY ($1) ORDER BY created_at',
      [before.rows.map(({ id }: { id: string }) => id)],
    );
    expect(rows).toEqual([
      { status: 'failed', error_code: 'interrupted' },
      { status: 'succeeded', error_code: null },
    ]);
  }, 300_000);
});

describe('an instance that stops', () => {
  it('ends a restore in order: it is on record as interrupted, and nothing is left', async () => {
    const { body } = await administrator
      .post<TenantRestoreDto>(RESTORES, { tenant: 'acme', at, mode: 'in-place' })
      .expect(202);
    await app.close();
    const { rows } = await admin.query('SELECT status, error_code, rows_kept FROM ops.tenant_restores WHERE id = $1', [
      body.id,
    ]);
    expect(rows).toEqual([{ status: 'failed', error_code: 'interrupted', rows_kept: false }]);
    const scratch = path.join(directory, 'data', 'tenant-restores');
    expect(readdirSync(scratch)).toEqual([]);
    ({ app, administrator } = await startApp());
    expect(await findRole()).toBeUndefined();
  }, 300_000);
});
