import { StartupError } from '../common/errors';
import { refuseSecrets } from './command-secrets';

describe('refuseSecrets', () => {
  it.each([
    ['--password=hunter2'],
    ['--backup-key=aGVsbG8='],
    ['--url=postgresql://backup:hunter2@db.example.com/tenantry'],
    ['postgres://backup:hunter2@db'],
  ])('refuses %s, and does not repeat it', (arg) => {
    const refuse = (): void => refuseSecrets(['backup', 'create', arg]);
    expect(refuse).toThrow(StartupError);
    expect(refuse).not.toThrow(/hunter2|aGVsbG8/);
  });

  it.each([
    ['--at'],
    ['2026-11-23T10:15:00Z'],
    ['--url=http://10.0.0.7:9464'],
    ['--key-file=/run/secrets/export.key'],
    ['--keep'],
  ])('lets %s pass', (arg) => expect(() => refuseSecrets([arg])).not.toThrow());
});
