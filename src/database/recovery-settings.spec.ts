import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { removeRecoverySettings, writeRecoverySettings } from './recovery-settings';

let pgData: string;
beforeEach(() => (pgData = mkdtempSync(path.join(tmpdir(), 'tenantry-settings-'))));
afterEach(() => rmSync(pgData, { recursive: true }));

const file = (name: string): string => path.join(pgData, name);
const contents = (): Record<string, string> =>
  Object.fromEntries(readdirSync(pgData).map((name) => [name, readFileSync(file(name), 'utf8')]));
const write = (): void =>
  writeRecoverySettings({
    pgData,
    socketDirectory: '/tmp',
    restoreCommand: 'cp "/log/%f" "%p"',
    target: { kind: 'latest' },
    timeline: 1,
    pauses: false,
    atLeast: {},
    isScratch: false,
    account: undefined,
  });

describe('the settings of a recovery', () => {
  it.each([
    [
      'a cluster that has its configuration in it',
      { 'postgresql.conf': 'port = 5433\n', 'postgresql.auto.conf': '# auto\n' },
    ],
    ['one that has it elsewhere, as on Debian', { 'postgresql.auto.conf': "work_mem = '8MB'\n" }],
  ])('leave %s as it was', (_, original) => {
    for (const [name, text] of Object.entries(original)) writeFileSync(file(name), text);
    write();
    expect(contents()).toMatchObject({ 'recovery.signal': '', 'recovery_hba.conf': 'local all all trust\n' });
    expect(contents()).toHaveProperty(['postgresql.conf']); // PostgreSQL does not start without
    write(); // to another target
    removeRecoverySettings(pgData);
    expect(contents()).toEqual(original);
  });

  it('copy nothing that a link of the server’s account leads to', () => {
    writeFileSync(file('foreign'), 'secret');
    symlinkSync(file('foreign'), file('postgresql.auto.conf'));
    expect(write).toThrow('ELOOP');
    expect(readdirSync(pgData).toSorted()).toEqual(['foreign', 'postgresql.auto.conf']);
  });
});
