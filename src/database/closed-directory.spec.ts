import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ClosedDirectory } from './closed-directory';

const ACCOUNT = { name: 'somebody', uid: 12_345, gid: 12_345 };
const isRoot = process.geteuid?.() === 0;

let home: string;
let place: string;
beforeEach(() => {
  home = mkdtempSync(path.join(tmpdir(), 'tenantry-closed-'));
  place = path.join(home, 'cluster');
});
afterEach(() => rmSync(home, { recursive: true }));

describe('a directory that is filled before its account may enter it', () => {
  it('is closed to all others until it is handed over', async () => {
    mkdirSync(place, { mode: 0o777 });
    const closed = await ClosedDirectory.make(place);
    const { uid, mode } = statSync(place);
    expect([uid, mode & 0o777]).toEqual([process.geteuid!(), 0o700]);
    await closed.handOver(isRoot ? ACCOUNT : undefined);
    expect(statSync(place).uid).toBe(isRoot ? ACCOUNT.uid : process.geteuid!());
  });

  (process.platform === 'linux' ? it : it.skip)(
    'is filled and given away itself, whatever its name has come to lead to',
    async () => {
      const foreign = path.join(home, 'foreign');
      mkdirSync(foreign);
      const closed = await ClosedDirectory.make(place);
      renameSync(place, path.join(home, 'moved'));
      symlinkSync(foreign, place);
      writeFileSync(path.join(closed.path, 'file'), '');
      await closed.handOver(isRoot ? ACCOUNT : undefined);
      expect(readdirSync(path.join(home, 'moved'))).toEqual(['file']);
      expect([readdirSync(foreign), statSync(foreign).uid]).toEqual([[], process.geteuid!()]);
    },
  );

  it('is not made where a link lies', async () => {
    const foreign = path.join(home, 'foreign');
    mkdirSync(foreign, { mode: 0o755 });
    symlinkSync(foreign, place);
    await expect(ClosedDirectory.make(place)).rejects.toThrow(/ELOOP|ENOTDIR/);
    expect(statSync(foreign).mode & 0o777).toBe(0o755);
  });
});
