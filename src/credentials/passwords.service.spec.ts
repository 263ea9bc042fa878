import { readdirSync } from 'node:fs';
import os from 'node:os';
import { hash } from '@node-rs/argon2';
import { InvalidInputError, UnavailableError } from '../common/errors';
import { PasswordsService } from './passwords.service';

const PASSWORD = 'violet lantern orbit';

describe('PasswordsService', () => {
  const passwords = new PasswordsService();

  beforeAll(() => passwords.onModuleInit());
  afterAll(() => passwords.onModuleDestroy());

  it('hashes with argon2id, 19 MiB, two passes, and a salt of its own each time', async () => {
    const [one, other] = await Promise.all([passwords.hash(PASSWORD), passwords.hash(PASSWORD)]);
    expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(one).not.toBe(other);
  });

  it('verifies the password and no other', async () => {
    const passwordHash = await passwords.hash(PASSWORD);
    await expect(passwords.verify(passwordHash, PASSWORD)).resolves.toBe(true);
    await expect(passwords.verify(passwordHash, `${PASSWORD} `)).resolves.toBe(false);
    await expect(passwords.verify(undefined, PASSWORD)).resolves.toBe(false);
  });

  it('takes the same time without a hash', async () => {
    const passwordHash = await passwords.hash(PASSWORD);
    const fastestOf = async (candidate: string | undefined): Promise<number> => {
      const times: number[] = [];
      for (let run = 0; run < 9; run++) {
        const started = performance.now();
        await passwords.verify(candidate, 'wrong');
        times.push(performance.now() - started);
      }
      return Math.min(...times); // what else this machine does only adds
    };
    const [withHash, without] = [await fastestOf(passwordHash), await fastestOf(undefined)];
    expect(without).toBeGreaterThan(withHash / 2);
    expect(without).toBeLessThan(withHash * 2);
  });

  it('tells apart passwords that share their first 72 bytes', async () => {
    const beginning = 'a heron '.repeat(9);
    const passwordHash = await passwords.hash(`${beginning}left`);
    await expect(passwords.verify(passwordHash, `${beginning}right`)).resolves.toBe(false);
  });

  it('takes composed and decomposed letters for the same', async () => {
    await expect(
      passwords.verify(await passwords.hash('caf\u00e9 am alten markt'), 'cafe\u0301 am alten markt'),
    ).resolves.toBe(true);
  });

  it.each([
    ['less memory', { memoryCost: 12_288, timeCost: 3, parallelism: 1 }, true],
    ['fewer passes', { memoryCost: 19_456, timeCost: 1, parallelism: 1 }, true],
    ["today's parameters", { memoryCost: 19_456, timeCost: 2, parallelism: 1 }, false],
  ])('sees whether a hash is outdated: %s', async (_, parameters, outdated) => {
    expect(passwords.isOutdated(await hash(PASSWORD, parameters))).toBe(outdated);
  });

  it('refuses at once when too many wait', async () => {
    const results = await Promise.allSettled(Array.from({ length: 110 }, () => passwords.verify(undefined, PASSWORD)));
    const refusals = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    expect(refusals.length).toBeGreaterThan(0);
    expect(refusals.length).toBeLessThan(10);
    for (const refusal of refusals) expect(refusal).toBeInstanceOf(UnavailableError);
    await expect(passwords.verify(undefined, PASSWORD)).resolves.toBe(false);
  });

  (process.platform === 'linux' ? it : it.skip)('hashes in a thread that lets all others go first', async () => {
    await passwords.hash(PASSWORD);
    const niceness = readdirSync('/proc/self/task').map((thread) => os.getPriority(Number(thread)));
    expect(Math.max(...niceness)).toBe(Math.min(19, os.getPriority() + 10));
  });

  it('names the place of a password that it refuses', () => {
    expect(() => passwords.assertAcceptable('password password', [], '/password')).toThrow(
      expect.objectContaining({ code: 'weak_password', errors: [expect.objectContaining({ pointer: '/password' })] }),
    );
    expect(() => passwords.assertAcceptable('short', [], '/password')).toThrow(InvalidInputError);
  });
});
