import { readFileSync } from 'node:fs';
import path from 'node:path';
import { buildAbility } from './ability';
import { CATALOGUE } from './permissions';
import { SYSTEM_ROLE_KEYS, SYSTEM_ROLES } from './system-roles';

/** The rows `| Subject action | … |` of the table in docs/access-control.md. */
function documented(): Map<string, string[]> {
  const text = readFileSync(path.join(__dirname, '../../docs/access-control.md'), 'utf8');
  const rows = [...text.matchAll(/^\| (\w+ \w+) +\|(.*)\|$/gm)];
  return new Map(rows.map(([, permission, cells]) => [permission!, cells!.split('|').map((cell) => cell.trim())]));
}

describe('the system roles', () => {
  const table = documented();

  it('are documented for each permission of the catalogue, and for no other', () => {
    expect([...table.keys()].sort()).toEqual(CATALOGUE.map(({ subject, action }) => `${subject} ${action}`).sort());
  });

  it.each(CATALOGUE.map(({ subject, action }) => [subject, action]))(
    'hold %s %s as the table in the docs says',
    (subject, action) => {
      const actual = SYSTEM_ROLE_KEYS.map((key) => {
        if (!buildAbility(SYSTEM_ROLES[key].permissions, 'me').can(action, subject)) return '';
        const narrowed = SYSTEM_ROLES[key].permissions.some(
          (rule) => rule.subject === subject && rule.action === action && rule.fields,
        );
        return narrowed ? 'own name' : '✓';
      });
      expect(actual).toEqual(table.get(`${subject} ${action}`));
    },
  );
});
