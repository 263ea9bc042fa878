import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import { extract, type Headers, pack } from 'tar-stream';
import { generateSigningKey, publicKeyOf } from '../../src/auth/signing-key';
import { SigningKeysService } from '../../src/auth/signing-keys.service';
import { type ArchiveManifest, ArchiveRefusedError } from '../../src/backups/tenant-archives/archive-format';
import { exportTenant } from '../../src/backups/tenant-archives/export-tenant';
import { ImportConflictError, planImport } from '../../src/backups/tenant-archives/import-plan';
import { importTenant, type ImportResult } from '../../src/backups/tenant-archives/import-tenant';
import { readManifest, type Trust } from '../../src/backups/tenant-archives/read-manifest';
import { PLATFORM_TENANT_ID } from '../../src/common/id';
import { TenantReader } from '../../src/database/tenant-reader';
import { TenantWriter } from '../../src/database/tenant-writer';
import { newAccount } from '../support/account';
import { createTestApp, type TestApp } from '../support/app';
import { type Cast, newRole, newTenant, newTenantWithOwner, newUser, type UserClient } from '../support/tenant';
import { TENANT_TABLES, TENANTS } from '../support/tenant-tables';
import { fingerprintOf } from '../support/tenant-rows';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

const AUDIT = 'audit.events';

let source: TestApp;
let target: TestApp;
let directory: string;
let writer: TenantWriter;
let cast: Cast;
let custom: UserClient;
/** Of `cast`. */
let archive: string;
beforeAll(async () => {
  [source, target] = await Promise.all([createTestApp(), createTestApp()]);
  directory = makeTestDirectory();
  writer = await TenantWriter.connect(target.database.urls.backup, 'POSTGRES_BACKUP_URL');
  cast = await newTenant(source);
  const roleId = await newRole(source, cast.tenant, [
    { subject: 'User', action: 'read', conditions: { status: 'active' }, fields: ['id', 'name'] },
  ]);
  custom = await newUser(source, cast.tenant, { roles: [roleId], name: 'Ærøskøbing "\\ \u{1F600}' });
  await cast.owner.get(`/v1/tenants/${cast.tenant.id}/users`).expect(200);
  archive = await exportOf(cast.tenant.id);
}, 120_000);
afterAll(async () => {
  await writer?.end();
  await Promise.all([source?.close(), target?.close()]);
  removeTestDirectory(directory);
});

let files = 0;
const newFile = (): string => path.join(directory, `archive-${++files}.tar.gz`);

async function exportOf(tenantId: string, file = newFile(), app = source): Promise<string> {
  const reader = await TenantReader.connectAs(app.database.urls.backup, 'POSTGRES_BACKUP_URL', tenantId);
  try {
    const key = await app.nest.get(SigningKeysService).signingKey();
    await exportTenant({ reader, tenantId, file, key, issuer: 'https://source.test' });
    return file;
  } finally {
    await reader.end();
  }
}

const trustOf = async (app: TestApp): Promise<Trust> =>
  new Map((await app.nest.get(SigningKeysService).publicKeys()).map((jwk) => [jwk.kid, publicKeyOf(jwk)]));

interface Options {
  slug?: string;
  newId?: boolean;
  trust?: Trust;
}

async function importOf(file: string, { trust, ...options }: Options = {}): Promise<ImportResult> {
  const { manifest, sha256 } = await readManifest(file, trust ?? (await trustOf(source)));
  return importTenant(writer, await planImport(writer, { file, manifest, sha256, ...options }));
}

/** All that the target holds, in one word. */
async function everything(): Promise<string> {
  const tables = await target.database.query<{ name: string }>(
    'admin',
    `SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND n.nspname IN ('app', 'audit', 'identity', 'ops') ORDER BY 1`,
  );
  const parts = tables.map(
    ({ name }) => `SELECT md5(coalesce(string_agg(t::text, '' ORDER BY t::text), '')) AS part FROM ${name} t`,
  );
  const rows = await target.database.query<{ part: string }>('admin', parts.join(' UNION ALL '));
  return rows.map(({ part }) => part).join(' ');
}

type Entry = { header: Partial<Headers> & { name: string; pax?: Record<string, string> }; content: Buffer };

async function unpack(file: string): Promise<Entry[]> {
  const tar = extract();
  tar.end(gunzipSync(readFileSync(file)));
  const entries: Entry[] = [];
  for await (const entry of tar) entries.push({ header: { name: entry.header.name }, content: await buffer(entry) });
  return entries;
}

async function repack(entries: readonly Entry[]): Promise<string> {
  const tar = pack();
  for (const { header, content } of entries) tar.entry(header, content);
  tar.finalize();
  const file = newFile();
  writeFileSync(file, gzipSync(await buffer(tar)));
  return file;
}

/** The archive with a manifest that says otherwise. */
async function withManifest(change: (manifest: ArchiveManifest) => void, from = archive): Promise<string> {
  const entries = await unpack(from);
  const entry = entries.find(({ header }) => header.name === 'manifest.json')!;
  const manifest = JSON.parse(entry.content.toString()) as ArchiveManifest;
  change(manifest);
  entry.content = Buffer.from(JSON.stringify(manifest));
  return repack(entries);
}

/** The archive with other rows in a table, and checksums that agree with them, so that only the signature tells. */
async function withRows(table: string, change: (lines: string[]) => string[]): Promise<string> {
  const entries = await unpack(archive);
  const part = entries.find(({ header }) => header.name.startsWith(`tables/${table}/`))!;
  const lines = change(part.content.toString().split('\n').slice(0, -1));
  part.content = Buffer.from(lines.map((line) => `${line}\n`).join(''));
  const manifest = entries.find(({ header }) => header.name === 'manifest.json')!;
  const told = JSON.parse(manifest.content.toString()) as ArchiveManifest;
  const archived = told.tables.find(({ name }) => name === table)!;
  const sha256 = createHash('sha256').update(part.content).digest('hex');
  archived.parts = [{ name: part.header.name, bytes: part.content.length, rows: lines.length, sha256 }];
  archived.rows = lines.length;
  manifest.content = Buffer.from(JSON.stringify(told));
  return repack(entries);
}

const withValue = (column: string, value: unknown) => (lines: string[]) =>
  lines.map((line, place) =>
    place === 0 ? JSON.stringify({ ...(JSON.parse(line) as object), [column]: value }) : line,
  );

describe('the archive of a tenant', () => {
  it('is a file of its owner alone, whole under its name or not there, and replaces nothing', async () => {
    expect(statSync(archive).mode & 0o777).toBe(0o600);
    await expect(exportOf(cast.tenant.id, archive)).rejects.toThrow('exists already');
    const nobody = newFile();
    await expect(exportOf('0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e01', nobody)).rejects.toThrow('There is no such tenant');
    expect(existsSync(nobody)).toBe(false);
    expect(readdirSync(directory).filter((name) => name.includes('partial'))).toEqual([]);
  });

  it('holds every row of every table of the tenant, and of people their address and name alone', async () => {
    const { manifest } = await readManifest(archive, await trustOf(source));
    expect(manifest).toMatchObject({
      format: 'tenantry-tenant-archive',
      version: 1,
      issuer: 'https://source.test',
      tenant: { id: cast.tenant.id, slug: cast.tenant.slug, name: cast.tenant.name },
    });
    expect(manifest.tables.map(({ name }) => name).toSorted()).toEqual([...TENANT_TABLES, 'identity.users'].toSorted());
    for (const { name, rows } of manifest.tables.filter((table) => table.name !== 'identity.users')) {
      const column = name === TENANTS ? 'id' : 'tenant_id';
      const sql = `SELECT count(*)::int AS count FROM ${name} WHERE ${column} = $1`;
      const [counted] = await source.database.query<{ count: number }>('admin', sql, [cast.tenant.id]);
      expect([name, rows]).toEqual([name, counted!.count]);
    }
    const people = (await unpack(archive)).find(({ header }) => header.name.startsWith('tables/identity.users/'))!;
    const rows = people.content
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(rows).toHaveLength(5);
    for (const row of rows) expect(Object.keys(row)).toEqual(['id', 'email', 'name']);
    expect(gunzipSync(readFileSync(archive)).toString('latin1')).not.toContain('$argon2id$');
  });

  it('is signed by the platform, and by nobody else', async () => {
    const { jwk } = generateSigningKey();
    await expect(readManifest(archive, new Map([[jwk.kid, publicKeyOf(jwk)]]))).rejects.toThrow(
      'is not among those that are trusted',
    );
    const changed = await withManifest((manifest) => (manifest.tenant.name = 'Another'));
    await expect(readManifest(changed, await trustOf(source))).rejects.toThrow('manifest.json is not what was signed');
    const unsigned = await repack((await unpack(archive)).filter(({ header }) => header.name !== 'manifest.jws'));
    await expect(readManifest(unsigned, await trustOf(source))).rejects.toThrow('it is not signed');
    expect((await readManifest(unsigned, 'unsigned')).manifest.tenant.id).toBe(cast.tenant.id);
  });
});

describe('importing it into another Tenantry', () => {
  it('brings all of it but the audit trail, recognizes people by their address, and lets them in', async () => {
    const known = await newAccount(target);
    await target.database.query('admin', 'UPDATE identity.users SET email = $2 WHERE id = $1', [
      known.id,
      custom.person.email,
    ]);
    const { tenant: other } = await newTenantWithOwner(target);
    const before = await fingerprintOf(target.database, other.id);

    const result = await importOf(archive);

    expect(result).toMatchObject({
      tenantId: cast.tenant.id,
      slug: cast.tenant.slug,
      accountsCreated: 4,
      rowsLeftOut: 0,
    });
    for (const table of TENANT_TABLES.filter((name) => name !== AUDIT)) {
      const sql = `SELECT to_jsonb(t) - 'user_id' AS row FROM ${table} t WHERE ${table === TENANTS ? 'id' : 'tenant_id'} = $1 ORDER BY 1`;
      const rows = await target.database.query('admin', sql, [cast.tenant.id]);
      expect([table, rows]).toEqual([table, await source.database.query('admin', sql, [cast.tenant.id])]);
      expect(rows.length).toBe(result.rows[table]);
    }
    expect(await fingerprintOf(target.database, other.id)).toBe(before);
    const session = await target.signIn({ email: custom.person.email, password: known.password });
    const users = await session.get<{ data: object[] }>(`/v1/tenants/${cast.tenant.id}/users`).expect(200);
    expect(users.body.data).toContainEqual({ id: custom.id, name: custom.person.name });
    const trail = await target.administrator
      .get<{ data: { action: string; after: object }[] }>(`/v1/tenants/${cast.tenant.id}/audit-events`)
      .expect(200);
    expect(trail.body.data).toMatchObject([
      { action: 'tenant.imported', after: { issuer: 'https://source.test', sourceTenantId: cast.tenant.id } },
    ]);
  });

  it('names what is in its way before anything is written, and goes round it when told to', async () => {
    const there = (await target.administrator.get(`/v1/tenants/${cast.tenant.id}`)).status === 200;
    if (!there) await importOf(archive);
    const before = await everything();
    await expect(importOf(archive)).rejects.toThrow(
      new RegExp(`has the slug ${cast.tenant.slug}[^]*a tenant of the id ${cast.tenant.id} already`),
    );
    await expect(importOf(archive, { slug: 'elsewhere' })).rejects.toBeInstanceOf(ImportConflictError);
    expect(await everything()).toBe(before);
    const copy = await importOf(archive, { slug: 'elsewhere', newId: true });
    expect(copy.tenantId).not.toBe(cast.tenant.id);
    expect(copy).toMatchObject({ slug: 'elsewhere', accountsCreated: 0 });
    await target.administrator.get(`/v1/tenants/${copy.tenantId}`).expect(200);
  });

  it('leaves out a person who was erased here, with all that refers to them, and refuses an erased tenant', async () => {
    const { tenant, owner } = await newTenantWithOwner(target);
    const leaving = await newUser(target, tenant, { roles: ['admin'] });
    const account = (await leaving.get<{ id: string }>('/v1/auth/me').expect(200)).body.id;
    const file = await exportOf(tenant.id, newFile(), target);
    const erasures = '/v1/platform/erasures';
    await target.administrator
      .post(erasures, { subject: 'account', subjectId: account, confirm: leaving.person.email })
      .expect(201);
    await target.administrator
      .post(erasures, { subject: 'tenant', subjectId: tenant.id, confirm: tenant.slug })
      .expect(201);
    const trust = await trustOf(target);
    await expect(importOf(file, { trust })).rejects.toThrow('was erased here for good');
    const copy = await importOf(file, { trust, newId: true });
    expect(copy).toMatchObject({ accountsCreated: 0, rowsLeftOut: 2 });
    const found = await target.database.query('admin', 'SELECT 1 FROM identity.users WHERE email = $1', [
      leaving.person.email,
    ]);
    expect(found).toEqual([]);
    await owner.get(`/v1/tenants/${copy.tenantId}`).expect(200);
  });

  it('takes an older schema whose columns fit, and refuses a newer one with what to do', async () => {
    const older = await withManifest((manifest) => (manifest.migrations = manifest.migrations.slice(0, 1)));
    await importOf(older, { trust: 'unsigned', slug: 'older', newId: true });
    const newer = await withManifest((manifest) => manifest.migrations.push('20991231000000_later'));
    await expect(importOf(newer, { trust: 'unsigned', slug: 'newer', newId: true })).rejects.toThrow(
      /lacks 20991231000000_later. Upgrade/,
    );
    const foreign = await withManifest((manifest) =>
      manifest.tables.at(-1)!.columns.push({ name: 'mood', type: 'text' }),
    );
    await expect(importOf(foreign, { trust: 'unsigned', newId: true })).rejects.toThrow(/There is no column .*\.mood/);
    const future = await withManifest((manifest) => ((manifest as { version: number }).version = 2));
    await expect(importOf(future, { trust: 'unsigned' })).rejects.toThrow('Upgrade it first');
  });
});

describe('an archive that is not what was exported', () => {
  const flipped = (): string => {
    const content = readFileSync(archive);
    content[Math.floor(content.length / 2)]! ^= 1;
    const file = newFile();
    writeFileSync(file, content);
    return file;
  };
  const truncated = (): string => {
    const file = newFile();
    writeFileSync(file, readFileSync(archive).subarray(0, -200));
    return file;
  };
  const without = async (prefix: string): Promise<string> =>
    repack((await unpack(archive)).filter(({ header }) => !header.name.startsWith(prefix)));
  const extra = async (header: Entry['header'], content = Buffer.from('{}\n')): Promise<string> =>
    repack([...(await unpack(archive)), { header, content }]);

  const cases: [string, () => string | Promise<string>, RegExp][] = [
    ['a flipped byte', flipped, /refused/],
    ['no end', truncated, /cannot be read to its end/],
    ['no gzip at all', () => path.join(directory, 'plain'), /cannot be read to its end/],
    [
      'a part missing',
      () => without('tables/app.memberships/'),
      /app\.memberships\/000001\.ndjson (is missing|must)|stands where tables\/app\.memberships/,
    ],
    ['no manifest', () => without('manifest.json'), /it has no manifest\.json/],
    [
      'a part that its manifest does not know',
      () => extra({ name: 'tables/app.roles/000009.ndjson' }),
      /not in its manifest/,
    ],
    ['a file of another name', () => extra({ name: 'notes.txt' }), /"notes.txt" \(file\) does not belong/],
    ['a path that leads out', () => extra({ name: '../../etc/passwd' }), /does not belong/],
    ['an absolute path', () => extra({ name: '/tables/app.roles/000002.ndjson' }), /does not belong/],
    [
      'a link',
      () =>
        extra({ name: 'tables/app.roles/000002.ndjson', type: 'symlink', linkname: '/etc/passwd' }, Buffer.alloc(0)),
      /\(symlink\) does not belong/,
    ],
    ['a file twice', () => extra({ name: 'manifest.json' }), /is in it twice/],
    [
      'a part that is too large',
      () => extra({ name: 'tables/app.roles/000002.ndjson' }, Buffer.alloc(11 * 1024 * 1024)),
      /more than/,
    ],
    [
      'a header that would fill the memory',
      () => extra({ name: 'tables/app.roles/000009.ndjson', pax: { comment: 'x'.repeat(8 * 1024 * 1024) } }),
      /a header in it, or what follows its end, has more than/,
    ],
    [
      'a row of another tenant',
      () => withRows('app.roles', withValue('tenant_id', '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e01')),
      /a row of another tenant/,
    ],
    ['a column too many', () => withRows('app.roles', withValue('mood', 1)), /other columns than its manifest says/],
    ['a row that is no object', () => withRows('app.roles', (lines) => ['[]', ...lines.slice(1)]), /no JSON object/],
    [
      'a huge row',
      () => withRows('app.roles', withValue('description', 'x'.repeat(9 * 1024 * 1024))),
      /more than 8388608 bytes/,
    ],
    [
      'a value that no column takes',
      () => withRows('app.roles', withValue('version', 'many')),
      /contradict the schema/,
    ],
    [
      'a reference to nothing',
      () => withRows('app.role_permissions', withValue('role_id', '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e01')),
      /contradict the schema/,
    ],
    [
      'a person who is not in it',
      () => withRows('app.memberships', withValue('user_id', '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e01')),
      /refers to a person who is not in it/,
    ],
    [
      'a permission that nobody knows',
      () => withRows('app.role_permissions', withValue('action', 'fly')),
      /app\.permissions has no \["User","fly"\]/,
    ],
    [
      'rows left out',
      () => withManifest((manifest) => (manifest.tables.find(({ name }) => name === 'app.roles')!.parts[0]!.rows -= 1)),
      /rows, not/,
    ],
    ['no owner', () => withRows('app.membership_roles', () => []), /No active person would own/],
  ];

  it.each(cases)('with %s is refused, and nothing is changed', async (_, make, reason) => {
    writeFileSync(path.join(directory, 'plain'), 'no gzip');
    const file = await make();
    const before = await everything();
    const run = importOf(file, { trust: 'unsigned', slug: 'damaged', newId: true });
    await expect(run).rejects.toThrow(reason);
    await run.catch((error: unknown) =>
      expect([ArchiveRefusedError, ImportConflictError].some((type) => error instanceof type)).toBe(true),
    );
    expect(await everything()).toBe(before);
  });

  it('is not taken for the platform itself, whose audit trail its owner would read', async () => {
    const entries = await unpack(archive);
    for (const entry of entries)
      entry.content = Buffer.from(entry.content.toString().replaceAll(cast.tenant.id, PLATFORM_TENANT_ID));
    const told = entries.find(({ header }) => header.name === 'manifest.json')!;
    const manifest = JSON.parse(told.content.toString()) as ArchiveManifest;
    for (const part of manifest.tables.flatMap(({ parts }) => parts)) {
      const { content } = entries.find(({ header }) => header.name === part.name)!;
      part.sha256 = createHash('sha256').update(content).digest('hex');
    }
    told.content = Buffer.from(JSON.stringify(manifest));
    const file = await repack(entries);
    const before = await everything();
    const run = importOf(file, { trust: 'unsigned', slug: 'platform' });
    await expect(run).rejects.toThrow(ArchiveRefusedError);
    expect(await everything()).toBe(before);
  });
});
