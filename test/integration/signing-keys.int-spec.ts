import { SecretBox } from '../../src/config/secret-box';
import { readEnv } from '../../src/config/env';
import { SigningKeysRepository } from '../../src/auth/signing-keys.repository';
import { SigningKeysService } from '../../src/auth/signing-keys.service';
import { type Doors, openDoors } from '../support/doors';
import { newDatabase, type TestDatabase } from '../support/postgres';

const DAY_MS = 24 * 3_600_000;
const SECRET = Buffer.alloc(32, 7);

/** A clock that a test moves. */
class Time {
  private offsetMs = 0;
  now = () => new Date(Date.now() + this.offsetMs);
  pass = (milliseconds: number) => (this.offsetMs += milliseconds);
}

describe('SigningKeysService', () => {
  let database: TestDatabase;
  let doors: Doors;
  let time: Time;

  beforeEach(async () => {
    database = await newDatabase();
    doors = await openDoors(database.urls);
    time = new Time();
  });

  afterEach(async () => {
    await doors.close();
    await database.drop();
  });

  const newInstance = (secret = SECRET): SigningKeysService =>
    new SigningKeysService(
      doors.platform,
      new SigningKeysRepository(),
      new SecretBox(secret),
      readEnv({ NODE_ENV: 'test' }),
      time,
    );

  const start = async (): Promise<SigningKeysService> => {
    const instance = newInstance();
    await instance.onModuleInit();
    return instance;
  };

  const kidOf = async (instance: SigningKeysService) => (await instance.signingKey()).kid;

  it('makes one key, however many instances start at once, and keeps it', async () => {
    const instances = await Promise.all([start(), start(), start()]);
    const kids = await Promise.all(instances.map(kidOf));
    expect(new Set(kids).size).toBe(1);
    expect(await kidOf(await start())).toBe(kids[0]);
    expect(await database.query('admin', 'SELECT kid FROM identity.signing_keys')).toEqual([{ kid: kids[0] }]);
  });

  it('refuses to start with another SECRET_KEY, and says what to do', async () => {
    await start();
    await expect(newInstance(Buffer.alloc(32, 8)).onModuleInit()).rejects.toMatchObject({
      name: 'StartupError',
      message: expect.stringContaining('SECRET_KEY'),
    });
  });

  it('replaces a key of ninety days, and keeps the old one until its last token has expired', async () => {
    const [rotating, other] = [await start(), await start()];
    const old = await kidOf(rotating);
    time.pass(89 * DAY_MS);
    await rotating.rotate();
    expect(await rotating.publicKeys()).toHaveLength(1);

    time.pass(DAY_MS);
    await rotating.rotate();
    time.pass(61_000);
    expect(await rotating.publicKeys()).toHaveLength(2);
    expect(await kidOf(rotating)).toBe(old); // published, not used yet

    time.pass(300_000);
    const successor = await kidOf(rotating);
    expect(successor).not.toBe(old);
    expect(await other.find(successor)).toBeDefined();
    expect(await other.find(old)).toBeDefined();
    expect(await kidOf(other)).toBe(successor);

    time.pass(1_200_000);
    await rotating.rotate();
    expect(
      await database.query(
        'admin',
        'SELECT kid, length(sealed_key) > 0 AS signs FROM identity.signing_keys ORDER BY 2',
      ),
    ).toEqual([
      { kid: old, signs: false },
      { kid: successor, signs: true },
    ]);
    expect(await other.find(old)).toBeUndefined();
    time.pass(61_000);
    expect((await other.publicKeys()).map(({ kid }) => kid)).toEqual([successor]);
    expect((await other.documentKeys()).map(({ kid }) => kid)).toEqual([successor, old]); // what it signed is still genuine
  });

  it('reads the keys again for an unknown kid, and not more often than every five seconds', async () => {
    const instance = await start();
    const read = jest.spyOn(doors.platform, 'read');
    for (let count = 0; count < 20; count++) expect(await instance.find(`unknown-${count}`)).toBeUndefined();
    expect(read).not.toHaveBeenCalled();
    time.pass(5_001);
    await Promise.all(Array.from({ length: 20 }, (_, count) => instance.find(`unknown-${count}`)));
    expect(read).toHaveBeenCalledTimes(1);
  });

  it('makes a new key at once when the old one was deleted, and forgets the old one within a minute', async () => {
    const instance = await start();
    const leaked = await kidOf(instance);
    await database.query('admin', 'DELETE FROM identity.signing_keys');
    time.pass(60_001);
    expect(await instance.find(leaked)).toBeUndefined();
    expect(await kidOf(instance)).not.toBe(leaked);
  });
});
