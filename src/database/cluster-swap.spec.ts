import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { settleSwap, swapCluster } from './cluster-swap';

const NAMES = { restored: 'data.restoring', kept: 'data.before' };

let home: string;
let pgData: string;
beforeEach(() => {
  home = mkdtempSync(path.join(tmpdir(), 'tenantry-swap-'));
  pgData = path.join(home, 'data');
});
afterEach(() => rmSync(home, { recursive: true }));

/** A directory that knows which it is. */
function make(name: string, content: string): void {
  mkdirSync(path.join(home, name));
  writeFileSync(path.join(home, name, 'is'), content);
}
const is = (name: string): string => readFileSync(path.join(home, name, 'is'), 'utf8');
/** As a crash after so many steps leaves it: the journal, the first rename, the second one. */
function cutShortAfter(steps: 1 | 2 | 3): void {
  writeFileSync(`${pgData}.swap`, JSON.stringify(NAMES));
  make(steps === 1 ? 'data' : NAMES.kept, 'old');
  make(steps === 3 ? 'data' : NAMES.restored, 'new');
}

describe('swapCluster', () => {
  it('puts the new one in the place of the old one, which it keeps', async () => {
    make('data', 'old');
    make(NAMES.restored, 'new');
    await swapCluster(pgData, NAMES);
    expect(is('data')).toBe('new');
    expect(is(NAMES.kept)).toBe('old');
    expect(readdirSync(home).toSorted()).toEqual(['data', NAMES.kept]);
    expect(await settleSwap(pgData)).toBeUndefined();
  });

  it('never writes over one that was kept', async () => {
    for (const name of ['data', NAMES.restored, NAMES.kept]) make(name, name);
    await expect(swapCluster(pgData, NAMES)).rejects.toThrow('exists');
    expect(is('data')).toBe('data');
  });

  it('writes through no link that lies where its journal will be', async () => {
    const foreign = path.join(home, 'foreign');
    writeFileSync(foreign, 'as it was');
    symlinkSync(foreign, `${pgData}.swap.new`);
    make('data', 'old');
    make(NAMES.restored, 'new');
    await swapCluster(pgData, NAMES);
    expect(readFileSync(foreign, 'utf8')).toBe('as it was');
  });
});

describe('settleSwap', () => {
  it.each([
    [1, 'undone', 'old'],
    [2, 'finished', 'new'],
    [3, 'finished', 'new'],
  ] as const)('ends one that a crash cut short after step %d: %s', async (steps, ending, content) => {
    cutShortAfter(steps);
    expect(await settleSwap(pgData)).toBe(ending);
    expect(is('data')).toBe(content);
    expect(existsSync(`${pgData}.swap`)).toBe(false);
    expect(await settleSwap(pgData)).toBeUndefined();
  });

  it('brings the old one back where the new one is gone', async () => {
    cutShortAfter(2);
    rmSync(path.join(home, NAMES.restored), { recursive: true });
    expect(await settleSwap(pgData)).toBe('undone');
    expect(is('data')).toBe('old');
  });

  it('takes no notice of a journal that was not written to its end', async () => {
    make('data', 'old');
    writeFileSync(`${pgData}.swap.new`, '{"rest');
    expect(await settleSwap(pgData)).toBeUndefined();
    expect(readdirSync(home)).toEqual(['data']);
  });

  it.each(['../elsewhere', 'elsewhere', '/etc/passwd'])('moves nothing that is not beside it: %s', async (restored) => {
    make('elsewhere', 'another’s');
    make(NAMES.kept, 'old');
    writeFileSync(`${pgData}.swap`, JSON.stringify({ ...NAMES, restored }));
    await expect(settleSwap(pgData)).rejects.toThrow('which no restore has put beside');
    expect(is('elsewhere')).toBe('another’s');
    expect(existsSync(pgData)).toBe(false);
  });
});
