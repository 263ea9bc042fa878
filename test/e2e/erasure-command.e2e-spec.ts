import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { ErasureDto } from '../../src/backups/erasures/erasure.dto';
import { newId } from '../../src/common/id';
import { type EmbeddedDatabase, startEmbeddedDatabase } from '../../src/database/embedded-database';
import { buildProject, copyProject, type ProjectCopy } from '../support/built-project';
import { outcomeOf, startCommand } from '../support/command-line';
import { eventually } from '../support/eventually';
import { copyPreparedCluster } from '../support/prepared-cluster';
import { ServerProcess } from '../support/server-process';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

const ADA = { id: newId(), email: 'ada@command.test', name: 'Ada' };
const GRACE = { id: newId(), email: 'grace@command.test', name: 'Grace' };
const EVE = { id: newId(), email: 'eve@command.test', name: 'Eve' };

let project: ProjectCopy;
let dataDir: string;
let database: EmbeddedDatabase;
let receiver: ServerProcess;
beforeAll(async () => {
  project = copyProject();
  buildProject(project);
  dataDir = makeTestDirectory();
  await copyPreparedCluster(dataDir);
  database = await startEmbeddedDatabase(dataDir);
  for (const { id, email, name } of [ADA, GRACE, EVE])
    await query('INSERT INTO identity.users (id, email, name) VALUES ($1, $2, $3)', [id, email, name]);
  receiver = start('wal', 'receive', '--every', '1');
  await receiver.says(/is stored in/);
}, 120_000);
afterAll(async () => {
  receiver?.kill('SIGTERM');
  await receiver?.ended;
  await database?.stop();
  project?.remove();
  removeTestDirectory(dataDir);
});

const start = (...args: string[]) => startCommand(project, { DATA_DIR: dataDir }, args);
const run = (...args: string[]) => outcomeOf(start(...args));
async function json<Result>(...args: string[]): Promise<Result> {
  const { code, output } = await run(...args, '--json');
  expect([code, output]).toEqual([0, expect.stringMatching(/^[[{]/)]);
  return JSON.parse(output) as Result;
}

/** As the owner, acting for a tenant where one is named. */
async function query<Row extends object>(sql: string, values: unknown[] = [], tenantId = ''): Promise<Row[]> {
  const client = new pg.Client({ connectionString: database.urls.owner });
  await client.connect();
  try {
    await client.query("SELECT set_config('app.tenant_id', $1, false)", [tenantId]);
    return (await client.query<Row>(sql, values)).rows;
  } finally {
    await client.end();
  }
}

/** A tenant with an owner, and other people. */
async function newTenant(slug: string, owner: typeof ADA, ...others: (typeof ADA)[]): Promise<string> {
  const [id, role] = [newId(), newId()];
  const ask = (sql: string, ...values: unknown[]) => query(sql, [id, ...values], id);
  await ask('INSERT INTO app.tenants (id, slug, name, name_key) VALUES ($1, $2, $2, $2)', slug);
  await ask(
    "INSERT INTO app.roles (tenant_id, id, system_key, name, name_key) VALUES ($1, $2, 'owner', 'Owner', 'owner')",
    role,
  );
  for (const [place, person] of [owner, ...others].entries()) {
    const member = newId();
    await ask(
      'INSERT INTO app.memberships (tenant_id, id, user_id, email, name, name_key) VALUES ($1, $2, $3, $4, $5, $5)',
      member,
      person.id,
      person.email,
      person.name,
    );
    if (place === 0)
      await ask(
        'INSERT INTO app.membership_roles (tenant_id, membership_id, role_id) VALUES ($1, $2, $3)',
        member,
        role,
      );
  }
  return id;
}

const emails = async (): Promise<string[]> =>
  (await query<{ email: string }>('SELECT email FROM identity.users ORDER BY email')).map(({ email }) => email);
const exists = async (tenantId: string): Promise<boolean> =>
  (await query('SELECT 1 FROM app.tenants WHERE id = $1', [tenantId], tenantId)).length > 0;

describe('tenantry tenant export, and import', () => {
  it('writes a signed archive and brings it in beside the tenant it is of', async () => {
    const id = await newTenant('exported', ADA, GRACE);
    const file = path.join(dataDir, 'exported.tar.gz');
    const exported = await run('tenant', 'export', 'exported', '--to', file);
    expect(exported).toMatchObject({ code: 0, output: expect.stringContaining('app.memberships 2') as string });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await run('tenant', 'export', id, '--to', file)).toMatchObject({ code: 2 });
    expect(await run('tenant', 'export', 'nobody', '--to', `${file}.no`)).toMatchObject({ code: 2 });

    const tried = await run('tenant', 'import', file, '--dry-run');
    expect(tried).toMatchObject({
      code: 1,
      output: expect.stringContaining('In the way: Another tenant has the slug') as string,
    });
    expect(await run('tenant', 'import', file, '--yes')).toMatchObject({ code: 1 });
    expect(await run('tenant', 'import', file, '--slug', 'copy', '--new-id')).toMatchObject({ code: 2 }); // nobody to ask
    const copy = await json<{ tenantId: string; matched: number }>(
      'tenant',
      'import',
      file,
      '--slug',
      'copy',
      '--new-id',
      '--yes',
    );
    expect(copy).toMatchObject({
      slug: 'copy',
      people: 2,
      matched: 2,
      accountsCreated: 0,
      rows: { 'app.memberships': 2 },
    });
    expect(await exists(copy.tenantId)).toBe(true);
  }, 240_000);

  it('refuses an archive that another signed, unless its keys are trusted', async () => {
    const file = path.join(dataDir, 'exported.tar.gz');
    const none = path.join(dataDir, 'none.json');
    writeFileSync(none, JSON.stringify({ keys: [] }));
    const refused = await run('tenant', 'import', file, '--trust', none, '--dry-run');
    expect(refused).toMatchObject({
      code: 1,
      output: expect.stringContaining('not among those that are trusted') as string,
    });
    const jwks = path.join(dataDir, 'jwks.json');
    const keys = await query<{ jwk: object }>('SELECT public_jwk AS jwk FROM identity.signing_keys');
    writeFileSync(jwks, JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }));
    const trusted = await json<{ conflicts: string[] }>(
      'tenant',
      'import',
      file,
      '--trust',
      jwks,
      '--dry-run',
      '--new-id',
      '--slug',
      'third',
    );
    expect(trusted.conflicts).toEqual([]);
    expect(await run('tenant', 'import', file, '--trust', jwks, '--unsigned')).toMatchObject({ code: 2 });
    writeFileSync(file, readFileSync(file).subarray(0, 500));
    expect(await run('tenant', 'import', file, '--yes')).toMatchObject({ code: 1 });
  }, 240_000);
});

describe('tenantry tenant erase, and person erase', () => {
  it('asks, and erases what is then in no backup that is taken, nor in one that is restored', async () => {
    const gone = await newTenant('gone', EVE);
    const stays = await newTenant('stays', ADA, GRACE);
    const { code } = await run('backup', 'create');
    expect(code).toBe(0);
    const [{ moment } = { moment: new Date() }] = await query<{ moment: Date }>(
      "SELECT clock_timestamp() + interval '1 ms' AS moment",
    );
    await sleep(20);

    expect(await run('tenant', 'erase', 'gone')).toMatchObject({
      code: 2,
      output: expect.stringContaining('say --yes') as string,
    });
    expect(await run('person', 'erase', ADA.email, '--yes')).toMatchObject({
      code: 1,
      output: expect.stringContaining('stays (') as string,
    });
    expect(await exists(gone)).toBe(true);
    const tenant = await json<ErasureDto>('tenant', 'erase', 'gone', '--include-accounts', '--yes');
    expect(tenant).toMatchObject({ subject: 'tenant', subjectId: gone, accountIds: [EVE.id], erasedBy: null });
    const person = await json<ErasureDto>('person', 'erase', GRACE.email, '--yes');
    expect(person).toMatchObject({ subject: 'account', subjectId: GRACE.id });
    expect(new Date(person.backupsHoldUntil!).getTime()).toBeGreaterThan(Date.now() + 7 * 86_400_000);
    expect(await run('person', 'erase', GRACE.email, '--yes')).toMatchObject({ code: 2 });
    expect([await exists(gone), await exists(stays), await emails()]).toEqual([false, true, [ADA.email]]);
    expect((await run('erasures', 'list')).output).toMatch(new RegExp(`tenant ${gone}  in 1 backups, until`));
    for (const { id } of [tenant, person])
      expect(existsSync(path.join(dataDir, 'backups', 'erasures', `${id}.json.sealed`))).toBe(true);

    const then = ['--at', moment.toISOString()];
    const file = path.join(dataDir, 'then.tar.gz');
    await query('CREATE TABLE public.later (id int)'); // so that the log goes on after the moment
    await eventually(async () => {
      const { windows } = await json<{ windows: { to: string }[] }>('backup', 'list');
      expect(windows.some(({ to }) => new Date(to) > moment)).toBe(true);
    }, 60_000);
    expect(await run('tenant', 'export', gone, ...then, '--to', file)).toMatchObject({
      code: 2,
      output: expect.stringContaining('erased for good') as string,
    });
    const refused = await run('tenant', 'export', stays, ...then, '--to', file);
    expect(refused).toMatchObject({
      code: 2,
      output: expect.stringContaining('1 people of then were erased since') as string,
    });
    expect(existsSync(file)).toBe(false);

    receiver.kill('SIGTERM');
    await receiver.ended;
    await database.stop();
    const restored = await run('restore', ...then, '--in-place', '--yes', '--json');
    database = await startEmbeddedDatabase(dataDir);
    expect(restored.code).toBe(0);
    const result = JSON.parse(restored.output.trim().split('\n').at(-1)!) as {
      erasedAgain: string[];
      ownerless: string[];
    };
    expect(result).toMatchObject({ status: 'restored', ownerless: [] });
    expect(result.erasedAgain.toSorted()).toEqual([tenant.id, person.id].toSorted());
    expect([await exists(gone), await exists(stays), await emails()]).toEqual([false, true, [ADA.email]]);
    expect(await query('SELECT id FROM ops.erasures ORDER BY id')).toEqual([{ id: tenant.id }, { id: person.id }]);
    expect((await run('erasures', 'reapply')).output).toContain('2 erasures are known');
  }, 240_000);
});
