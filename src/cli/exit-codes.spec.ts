import { BackupDamagedError, NotOfThisEngineError, OutsideCoverageError } from '../backups/engine';
import { RecoveryStoppedError } from '../backups/recovery-stopped';
import { BusyError, ConflictError, NotFoundError, StartupError } from '../common/errors';
import { EXIT, EXIT_CODES_HELP, exitCodeOf, messageOf } from './exit-codes';

describe('exitCodeOf', () => {
  it.each([
    [new StartupError('no such option'), EXIT.misused],
    [new OutsideCoverageError({ moment: { kind: 'latest' } }, []), EXIT.misused],
    [new NotOfThisEngineError('the provider does it'), EXIT.misused],
    [new NotFoundError('tenant'), EXIT.misused],
    [new BusyError('it runs'), EXIT.busy],
    [new BackupDamagedError('b', 'a bit'), EXIT.failed],
    [new RecoveryStoppedError('verify', [], '/srv'), EXIT.failed],
    [new ConflictError('slug_taken', 'taken'), EXIT.failed],
    [new TypeError('a mistake of ours'), EXIT.failed],
  ])('%s: %d', (error, code) => expect(exitCodeOf(error)).toBe(code));

  it('gives no code that --help does not explain', () => {
    for (const code of Object.values(EXIT)) expect(EXIT_CODES_HELP).toMatch(new RegExp(`^ {2}${code} {2}\\w`, 'm'));
  });
});

describe('messageOf', () => {
  it('says no more than what a person needs', () => {
    expect(messageOf(new StartupError('Set BACKUP_DIR.'))).toBe('Set BACKUP_DIR.');
    expect(messageOf(Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' }))).toBe(
      'ENOSPC: no space left',
    );
  });

  it('says where a mistake of ours came from', () => {
    expect(messageOf(new TypeError('x is undefined'))).toContain('exit-codes.spec');
  });
});
