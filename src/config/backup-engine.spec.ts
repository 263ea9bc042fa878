import { readEngineSettings } from './backup-engine';

const POSTGRES_URL = 'postgresql://tenantry_app@db/tenantry';

function read(values: Record<string, string>): { settings: unknown; problems: string[] } {
  const problems: string[] = [];
  return { settings: readEngineSettings(values, problems), problems };
}

describe('readEngineSettings', () => {
  it('is the native engine unless it is told otherwise', () => {
    expect(read({})).toEqual({ settings: { name: 'native' }, problems: [] });
  });

  it('reads what pgBackRest needs', () => {
    const values = {
      POSTGRES_URL,
      BACKUP_ENGINE: 'pgbackrest',
      PGBACKREST_STANZA: 'main',
      POSTGRES_BIN_DIR: '/pg/bin',
    };
    const settings = { name: 'pgbackrest', stanza: 'main', config: undefined, binDir: '/pg/bin', fullEveryDays: 7 };
    expect(read(values)).toEqual({ settings, problems: [] });
    expect(read({ ...values, PGBACKREST_CONFIG: '/etc/p.conf', BACKUP_FULL_EVERY_DAYS: '1' })).toEqual({
      settings: { ...settings, config: '/etc/p.conf', fullEveryDays: 1 },
      problems: [],
    });
  });

  it('reads where the restored server of a provider is', () => {
    const values = { POSTGRES_URL, BACKUP_ENGINE: 'external' };
    expect(read(values)).toEqual({ settings: { name: 'external', scratchUrl: undefined }, problems: [] });
    expect(read({ ...values, POSTGRES_SCRATCH_URL: 'url' }).settings).toEqual({ name: 'external', scratchUrl: 'url' });
  });

  it.each([
    [
      'an engine that there is not',
      { BACKUP_ENGINE: 'barman' },
      'BACKUP_ENGINE must be one of native, pgbackrest, external',
    ],
    ['an embedded database', { BACKUP_ENGINE: 'external' }, 'POSTGRES_URL must be set'],
    ['no stanza', { POSTGRES_URL, BACKUP_ENGINE: 'pgbackrest' }, 'PGBACKREST_STANZA'],
    [
      'an option for a stanza',
      { POSTGRES_URL, BACKUP_ENGINE: 'pgbackrest', PGBACKREST_STANZA: '--x' },
      'PGBACKREST_STANZA',
    ],
    ['no programs', { POSTGRES_URL, BACKUP_ENGINE: 'pgbackrest', PGBACKREST_STANZA: 'm' }, 'POSTGRES_BIN_DIR'],
    ['no number', { POSTGRES_URL, BACKUP_ENGINE: 'pgbackrest', BACKUP_FULL_EVERY_DAYS: '0' }, 'BACKUP_FULL_EVERY_DAYS'],
  ])('refuses %s', (_, values, problem) => {
    expect(read(values as Record<string, string>).problems.join('\n')).toContain(problem);
  });

  it('refuses options of pgBackRest in the environment, where the restored server would not have them, without their values', () => {
    const { problems } = read({
      POSTGRES_URL,
      BACKUP_ENGINE: 'pgbackrest',
      PGBACKREST_STANZA: 'main',
      POSTGRES_BIN_DIR: '/pg/bin',
      PGBACKREST_REPO1_CIPHER_PASS: 'hush',
    });
    expect(problems).toEqual([
      'PGBACKREST_REPO1_CIPHER_PASS: put it into the configuration file of pgBackRest instead',
    ]);
  });
});
