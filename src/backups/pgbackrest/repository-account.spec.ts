import { pgPathIn } from './repository-account';

const CONFIG = `[global]
repo1-path=/var/lib/pgbackrest
[other]
pg1-path=/srv/other
# [main]
[main]
  pg1-path = /var/lib/postgresql/15/main
[main:archive-get]
pg1-path=/wrong
`;

describe('pgPathIn', () => {
  it('finds the data directory of the stanza, in its own section', () => {
    expect(pgPathIn(CONFIG, 'main')).toBe('/var/lib/postgresql/15/main');
    expect(pgPathIn(CONFIG, 'other')).toBe('/srv/other');
    expect(pgPathIn(CONFIG, 'none')).toBeUndefined();
  });
});
