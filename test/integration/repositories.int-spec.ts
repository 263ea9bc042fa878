import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { LocalRepository } from '../../src/backups/repository/local-repository';
import {
  type BackupRepository,
  MissingFileError,
  NameTakenError,
  RepositoryFailedError,
} from '../../src/backups/repository/repository';
import { S3Repository } from '../../src/backups/repository/s3-repository';
import type { BackupBucket } from '../../src/config/backup-bucket';
import { freePort } from '../support/free-port';
import { S3Server } from '../support/s3-server';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

/** More than two of the parts that go to object storage, and no multiple of them. */
const LARGE_BYTES = 20_000_000;

let server: S3Server;
let directory: string;
beforeAll(async () => {
  server = await S3Server.start();
  directory = makeTestDirectory();
});
afterAll(async () => {
  await server?.stop();
  removeTestDirectory(directory);
});
afterEach(() => {
  server.fault = () => undefined;
  server.knowsConditions = true;
  server.pageSize = 1000;
  server.requests.length = 0;
});

const streamOf = (...chunks: (Buffer | string)[]): Readable =>
  Readable.from(
    chunks.map((chunk) => Buffer.from(chunk)),
    { objectMode: false },
  );
const contentOf = async (repository: BackupRepository, name: string): Promise<Buffer> =>
  buffer(await repository.get(name));
const textOf = async (repository: BackupRepository, name: string): Promise<string> =>
  (await contentOf(repository, name)).toString();
/** Pieces of a size that fits nothing, then the failure. */
function failingStream(bytes: number): Readable {
  function* pieces(): Generator<Buffer> {
    for (let sent = 0; sent < bytes; sent += 99_999) yield randomBytes(99_999);
    throw new Error('the source broke');
  }
  return Readable.from(pieces(), { objectMode: false });
}

/** What every repository does. */
describe.each<[string, () => BackupRepository]>([
  ['in a directory', () => new LocalRepository(path.join(directory, randomBytes(4).toString('hex')))],
  ['in a bucket', () => new S3Repository(server.bucket(`${randomBytes(4).toString('hex')}/`))],
  [
    'in a bucket of a server that ignores conditions',
    () => {
      server.knowsConditions = false;
      return new S3Repository(server.bucket(`${randomBytes(4).toString('hex')}/`));
    },
  ],
])('a repository %s', (_, open) => {
  let repository: BackupRepository;
  beforeEach(() => (repository = open()));

  it('gives back what was put, and says how large it is and what its hash', async () => {
    const stored = await repository.put('backups/one/base.tar', streamOf('one ', 'file'));
    const sha256 = createHash('sha256').update('one file').digest('hex');
    expect(stored).toEqual({ name: 'backups/one/base.tar', bytes: 8, sha256 });
    expect(await textOf(repository, 'backups/one/base.tar')).toBe('one file');
  });

  it('takes an empty file, and one larger than a part', async () => {
    await repository.put('empty', streamOf());
    expect(await textOf(repository, 'empty')).toBe('');
    for (const bytes of [LARGE_BYTES, 16 * 1024 * 1024]) {
      const content = randomBytes(bytes);
      const stored = await repository.put(`large-${bytes}`, streamOf(content.subarray(0, 77), content.subarray(77)));
      expect(stored).toMatchObject({ bytes, sha256: createHash('sha256').update(content).digest('hex') });
      expect((await contentOf(repository, `large-${bytes}`)).equals(content)).toBe(true);
    }
  });

  it('lists by prefix, sorted, whether it ends in a directory or in the middle of a name', async () => {
    for (const name of ['wal/2/b.gz', 'wal/1/ab.gz', 'wal/1/aa.gz', 'backups/x/manifest.json'])
      await repository.put(name, streamOf(name));
    expect(await repository.list('wal/')).toEqual(['wal/1/aa.gz', 'wal/1/ab.gz', 'wal/2/b.gz']);
    expect(await repository.list('wal/1/ab')).toEqual(['wal/1/ab.gz']);
    expect(await repository.list('')).toHaveLength(4);
    expect(await repository.list('nothing/')).toEqual([]);
  });

  it('never replaces a file', async () => {
    await repository.put('taken', streamOf('first'));
    await expect(repository.put('taken', streamOf('second'))).rejects.toThrow(NameTakenError);
    await expect(repository.put('taken', streamOf(randomBytes(LARGE_BYTES)))).rejects.toThrow(NameTakenError);
    expect(await textOf(repository, 'taken')).toBe('first');
  });

  it.each([1_000, LARGE_BYTES])('keeps nothing of a file whose content fails after %i bytes', async (bytes) => {
    await expect(repository.put('broken', failingStream(bytes))).rejects.toThrow('the source broke');
    expect(await repository.list('')).toEqual([]);
    expect(server.unfinishedUploads()).toEqual([]);
    await repository.put('broken', streamOf('the next time')); // its name is free
    expect(await textOf(repository, 'broken')).toBe('the next time');
  });

  it('removes, and is content when there is nothing to remove', async () => {
    await repository.put('old', streamOf('old'));
    await repository.remove('old');
    await repository.remove('old');
    expect(await repository.list('')).toEqual([]);
    await expect(repository.get('old')).rejects.toThrow(MissingFileError);
  });
});

describe('a repository in a directory', () => {
  it('forgets what killed writers have left, and nothing that is being written', async () => {
    const root = path.join(directory, 'swept');
    const repository = new LocalRepository(root);
    await repository.put('whole', streamOf('whole'));
    for (const name of ['dead', 'alive']) writeFileSync(path.join(root, '.partial', name), name);
    const hour = 3_600_000;
    utimesSync(path.join(root, '.partial', 'dead'), new Date(), new Date(Date.now() - 2 * hour));
    await repository.sweep(new Date(Date.now() - hour));
    expect(readdirSync(path.join(root, '.partial'))).toEqual(['alive']);
    expect(await repository.list('')).toEqual(['whole']);
  });

  it('that cannot be made fails at once', async () => {
    const file = path.join(directory, 'a-file');
    writeFileSync(file, '');
    const repository = new LocalRepository(path.join(file, 'below'));
    await expect(repository.put('name', streamOf('x'))).rejects.toThrow('ENOTDIR');
  });
});

describe('a repository in a bucket', () => {
  const SECRET = 's3cret-access-key';
  const LIMITS = { connectTimeoutMs: 5_000, idleTimeoutMs: 10_000, attempts: 3 };
  const open = (place: Partial<BackupBucket> = {}, limits = LIMITS): S3Repository =>
    new S3Repository({ ...server.bucket(`${randomBytes(4).toString('hex')}/`), ...place }, limits);
  const requestsOf = (pattern: RegExp): string[] => server.requests.filter((request) => pattern.test(request));

  it('lists more than a page holds', async () => {
    const repository = open();
    server.pageSize = 3;
    const names = Array.from({ length: 10 }, (__, index) => `wal/${index}`);
    for (const name of names) await repository.put(name, streamOf(name));
    server.requests.length = 0;
    expect(await repository.list('wal/')).toEqual(names);
    expect(requestsOf(/^GET .*list-type=2/)).toHaveLength(4);
  });

  it('does not replace what another one puts at the same time', async () => {
    const [repository, name] = [open(), 'contended'];
    server.fault = (method) => (method === 'HEAD' ? { kind: 'refuse', status: 404 } : undefined); // both find it free
    const attempts = await Promise.allSettled([
      repository.put(name, streamOf('one')),
      repository.put(name, streamOf(randomBytes(LARGE_BYTES))),
    ]);
    expect(attempts.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect((attempts[1] as PromiseRejectedResult).reason).toBeInstanceOf(NameTakenError);
    expect(await textOf(repository, name)).toBe('one');
    expect(server.unfinishedUploads()).toEqual([]);
  });

  it('does without conditions where the server says it knows none', async () => {
    const repository = open();
    let refusals = 0;
    server.fault = (method, url) => {
      const creates =
        (method === 'PUT' && !url.includes('partNumber')) || (method === 'POST' && url.includes('uploadId='));
      return creates && (refusals += 1) % 2 === 1 ? { kind: 'refuse', status: 501 } : undefined;
    };
    await repository.put('small', streamOf('small'));
    await repository.put('large', streamOf(randomBytes(LARGE_BYTES)));
    expect(refusals).toBe(4);
    expect(await repository.list('')).toEqual(['large', 'small']);
  });

  it.each([
    ['the object', 'PUT', /^(?!.*partNumber)/, Buffer.from('small')],
    ['the whole upload', 'POST', /uploadId=/, randomBytes(LARGE_BYTES)],
  ])('knows its own object when the answer to %s got lost', async (_, lost, where, content) => {
    const repository = open();
    let times = 0;
    server.fault = (method, url) =>
      method === lost && where.test(url) && (times += 1) === 1 ? { kind: 'lose answer' } : undefined;
    await expect(repository.put('name', streamOf(content))).resolves.toMatchObject({ bytes: content.length });
    expect((await contentOf(repository, 'name')).equals(content)).toBe(true);
  });

  it('goes on with a download that is cut off, where it was', async () => {
    const repository = open();
    const content = randomBytes(LARGE_BYTES);
    await repository.put('name', streamOf(content));
    let cuts = 0;
    server.fault = (method) => (method === 'GET' && (cuts += 1) <= 4 ? { kind: 'cut' } : undefined);
    expect((await contentOf(repository, 'name')).equals(content)).toBe(true);
    expect(cuts).toBe(5);
  });

  it('gives up a part that fails again and again, and ends its upload', async () => {
    const repository = open();
    server.fault = (_, url) => (url.includes('partNumber=2') ? { kind: 'refuse', status: 503 } : undefined);
    const source = streamOf(...Array.from({ length: 10 }, () => randomBytes(4_000_000)));
    await expect(repository.put('name', source)).rejects.toThrow(RepositoryFailedError);
    expect(source.destroyed).toBe(true);
    expect(requestsOf(/name.*partNumber=2/)).toHaveLength(LIMITS.attempts);
    expect(server.unfinishedUploads()).toEqual([]);
    server.fault = () => undefined;
    expect(await repository.list('')).toEqual([]);
  });

  it.each<[string, () => Promise<Partial<BackupBucket>>]>([
    ['nobody listens', async () => ({ endpoint: `http://127.0.0.1:${await freePort()}` })],
    ['nobody answers', async () => ((server.fault = () => ({ kind: 'stall' })), Promise.resolve({}))],
    ['the key is wrong', () => Promise.resolve({ credentials: { accessKeyId: 'UNKNOWN', secretAccessKey: SECRET } })],
    ['there is no such bucket', () => Promise.resolve({ bucket: 'nowhere' })],
  ])('fails in bounded time and tells no secret where %s', async (_, change) => {
    const repository = open(await change(), { ...LIMITS, idleTimeoutMs: 300 });
    const source = streamOf('x');
    const attempts = [
      () => repository.put('x', source),
      () => repository.get('x'),
      () => repository.list(''),
      () => repository.remove('x'),
    ];
    for (const attempt of attempts) {
      const error = await attempt().then(
        () => undefined,
        (reason: unknown) => reason as Error,
      );
      expect(error).toBeInstanceOf(RepositoryFailedError);
      expect(error!.message).toMatch(/^the bucket \w+ \(\w+\/\) of http:\S+ fails: .{3}/);
      expect(`${error!.stack} ${JSON.stringify(error)}`).not.toContain(SECRET);
      expect(error!.cause).toBeUndefined();
    }
    expect(source.destroyed).toBe(true);
  });
});
