import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { LocalRepository } from '../repository/local-repository';
import { SealedNotes } from '../repository/sealed-notes';
import { BackupKey } from '../repository/sealed-stream';
import { type BackupManifest, readManifest, writeManifest } from './backup-manifest';
import { WalArchive } from './wal-archive';

const SEGMENT_BYTES = 16 * 1024 * 1024;
const MANIFEST = { format: 1, id: 'planted', systemId: '1', serverMajor: 18, files: [] };

let root: string;
let repository: LocalRepository;
const keys = [new BackupKey(randomBytes(32))];
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'tenantry-unsealed-'));
  repository = new LocalRepository(root);
});
afterEach(() => rmSync(root, { recursive: true }));

describe('what somebody without the key has put into a repository', () => {
  it('is no backup', () => {
    const text = writeManifest(MANIFEST as unknown as BackupManifest, undefined);
    expect(readManifest('planted', text, [])).toMatchObject({ id: 'planted' });
    expect(() => readManifest('planted', text, keys)).toThrow('its manifest is not sealed');
  });

  it('is no log, not even beside a segment of ours', async () => {
    const planted = new WalArchive(repository, [], SEGMENT_BYTES);
    const ours = new WalArchive(repository, keys, SEGMENT_BYTES);
    await ours.store({ timeline: 1, number: 1n }, Buffer.from('ours'), undefined);
    for (const number of [1n, 2n])
      await planted
        .store({ timeline: 1, number }, Buffer.from(number === 1n ? 'ours' : 'planted'), undefined)
        .catch(() => undefined);
    await planted.storeHistory('00000002.history', Buffer.from('1\t0/0\tno'), undefined);
    expect((await ours.list(1)).map(({ file }) => file)).toEqual([expect.stringMatching(/\.sealed$/)]);
    expect(await ours.listHistories()).toEqual([]);
    await ours.store({ timeline: 1, number: 2n }, Buffer.from('our second'), undefined);
    expect((await ours.list(1)).map(({ number }) => number)).toEqual([1n, 2n]);
  });

  it('is no note', async () => {
    const [planted, ours] = [new SealedNotes(repository, []), new SealedNotes(repository, keys)];
    await planted.put('points/planted', { is: 'planted' });
    expect(await ours.list('points/')).toEqual([]);
    expect(await ours.read('points/planted')).toBeUndefined();
    await ours.put('points/planted', { is: 'ours' });
    expect(await ours.read('points/planted')).toEqual({ is: 'ours' });
  });
});
