import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { generateSigningKey } from '../../src/auth/signing-key';
import { type ErasureReceipt, signReceipt } from '../../src/backups/erasures/erasure-receipt';
import { reapplyErasures } from '../../src/backups/erasures/reapply-erasures';
import { ReceiptStore } from '../../src/backups/erasures/receipt-store';
import { newId } from '../../src/common/id';
import { readBackupEnv } from '../../src/config/backup-env';
import { lonelyTransaction } from '../../src/database/long-transaction';
import { type Query, readCatalogue } from '../support/catalogue';
import { newDatabase, type TestDatabase } from '../support/postgres';
import { Rows } from '../support/rows';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

const { jwk, privateKey } = generateSigningKey();

let database: TestDatabase;
let directory: string;
let receipts: ReceiptStore;
let rows: Rows;
beforeEach(async () => {
  database = await newDatabase();
  directory = makeTestDirectory();
  receipts = ReceiptStore.open(
    readBackupEnv({ BACKUP_DIR: directory, BACKUP_KEY: randomBytes(32).toString('base64'), DATA_DIR: directory }),
  );
  const query: Query = (sql, parameters) => database.query('admin', sql, parameters);
  rows = new Rows(await readCatalogue(query), query);
});
afterEach(async () => {
  await database.drop();
  removeTestDirectory(directory);
});

const signed = (subject: 'tenant' | 'account', subjectId: string, accountIds: string[]): [string, string] => {
  const receipt: ErasureReceipt = {
    format: 1,
    id: newId(),
    issuer: 'https://tenantry.test',
    subject,
    subjectId,
    accountIds,
    erasedAt: new Date().toISOString(),
    erasedBy: null,
    rows: {},
    backupsHoldUntil: null,
  };
  return [receipt.id, signReceipt({ kid: jwk.kid, privateKey }, receipt)];
};

const reapply = () =>
  reapplyErasures({ receipts, transaction: (work) => lonelyTransaction(database.urls.platform, work) });

const count = async (sql: string, ...values: unknown[]): Promise<number> =>
  (await database.query<{ count: number }>('admin', `SELECT count(*)::int AS count FROM ${sql}`, values))[0]!.count;

/** A tenant with an owner. */
async function newTenant(): Promise<{ tenantId: string; slug: string; accountId: string }> {
  const tenantId = newId();
  await rows.insert('app.tenants', tenantId);
  const held = await rows.insert('app.membership_roles', tenantId);
  await database.query('admin', "UPDATE app.roles SET system_key = 'owner' WHERE tenant_id = $1 AND id = $2", [
    tenantId,
    held.role_id,
  ]);
  const [found] = await database.query<{ accountId: string; slug: string }>(
    'admin',
    `SELECT m.user_id AS "accountId", t.slug FROM app.memberships m JOIN app.tenants t ON t.id = m.tenant_id WHERE t.id = $1`,
    [tenantId],
  );
  return { tenantId, ...found! };
}

describe('receipts beside the backups', () => {
  it('are sealed for the owner of the files alone, and put there once', async () => {
    const [id, jws] = signed('tenant', newId(), []);
    await receipts.put(jws);
    await receipts.put(jws);
    expect(await receipts.ids()).toEqual([id]);
    expect(await receipts.get(id)).toBe(jws);
    const file = path.join(directory, 'erasures', `${id}.json.sealed`);
    expect(statSync(file).mode & 0o077).toBe(0);
    expect(readFileSync(file, 'latin1')).not.toContain(jws.slice(0, 20));
  });

  it('make a restored database erase again what it has forgotten, once, and name a tenant without an owner', async () => {
    const [gone, left, stays] = [await newTenant(), await newTenant(), await newTenant()];
    const [first, ofTenant] = signed('tenant', gone.tenantId, [gone.accountId]);
    const [second, ofPerson] = signed('account', left.accountId, [left.accountId]);
    for (const jws of [ofTenant, ofPerson]) await receipts.put(jws);

    const done = await reapply();
    expect(done).toMatchObject({ known: 2, ownerless: [{ id: left.tenantId, slug: left.slug }] });
    expect(done.reapplied.toSorted()).toEqual([first, second].toSorted());
    expect(await count('app.tenants WHERE id = $1', gone.tenantId)).toBe(0);
    expect(await count('identity.users WHERE id = ANY ($1)', [gone.accountId, left.accountId])).toBe(0);
    expect(await count('app.memberships WHERE tenant_id = $1', stays.tenantId)).toBe(1);
    expect(await count('ops.erasures')).toBe(2);
    expect(await reapply()).toEqual({ known: 2, reapplied: [], rows: {}, ownerless: [] });
  });

  it('stop everything when one was changed: what it tells of would come back unseen', async () => {
    const { tenantId } = await newTenant();
    for (const [, jws] of [signed('tenant', tenantId, []), signed('account', newId(), [])]) await receipts.put(jws);
    const [name] = readdirSync(path.join(directory, 'erasures'));
    const file = path.join(directory, 'erasures', name!);
    const content = readFileSync(file);
    content[content.length - 5]! ^= 1;
    writeFileSync(file, content);
    await expect(reapply()).rejects.toMatchObject({ name: 'SealBrokenError' });
    expect(await count('app.tenants WHERE id = $1', tenantId)).toBe(1);
  });
});
