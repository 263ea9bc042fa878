import { problemIn } from './pgbackrest-verify';

/** As pgBackRest 2.45 says it, and ends with 0. */
const report = (status: string, log: string, ...backups: [label: string, status: string][]): string[] => [
  'stanza: demo',
  `status: ${status}`,
  `  archiveId: 15-1, ${log}`,
  '    missing: 0, checksum invalid: 0, size invalid: 0, other: 0',
  ...backups.flatMap(([label, state]) => [
    `  backup: ${label}, status: ${state}, total files checked: 964, total valid files: 963`,
    '    missing: 0, checksum invalid: 1, size invalid: 0, other: 0',
  ]),
];
const SOUND = 'total WAL checked: 4, total valid WAL: 4';
const FULL = '20261123-152222F';
const DIFF = `${FULL}_20261123-152411D`;
const full = { label: FULL, reference: null };
const diff = { label: DIFF, reference: [FULL] };

describe('what `pgbackrest verify` says', () => {
  it('is nothing of a sound repository', () => {
    expect(problemIn(report('ok', SOUND, [FULL, 'valid']), full)).toBeUndefined();
  });

  it('is a problem of the backup itself, and of one that builds upon it', () => {
    const said = report('error', SOUND, [FULL, 'invalid'], [DIFF, 'valid']);
    expect(problemIn(said, full)).toBe(`pgBackRest calls ${FULL} invalid`);
    expect(problemIn(said, diff)).toBe(`pgBackRest calls ${FULL} invalid`);
  });

  it('is no problem of a backup that another one builds upon', () => {
    expect(problemIn(report('error', SOUND, [FULL, 'valid'], [DIFF, 'invalid']), full)).toBeUndefined();
  });

  it('is a problem of the log for every backup', () => {
    const said = report('error', 'total WAL checked: 4, total valid WAL: 3', [FULL, 'valid']);
    expect(problemIn(said, full)).toBe('1 segments of the log 15-1 are not valid');
  });

  it.each([
    ['nothing', []],
    ['another form', ['stanza: demo', 'status: error', '  everything: lost']],
    ['other backups', report('error', SOUND, [DIFF, 'valid'])],
  ])('is a problem where it says %s', (_, said) => {
    expect(problemIn(said, full)).toBeDefined();
  });
});
