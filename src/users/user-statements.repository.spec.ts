import { accessibleWhere, buildAbility } from '../access/ability';
import { conditionSql } from '../access/condition-sql.repository';
import type { Permission } from '../access/system-roles';
import { CONDITION_COLUMNS } from './user-statements.repository';

const sqlOf = (where: object) => {
  const { text, values } = conditionSql(where, CONDITION_COLUMNS);
  return [text, values];
};
const accessible = (...permissions: Partial<Permission>[]): object =>
  accessibleWhere(
    buildAbility(permissions.map((permission) => ({ subject: 'User', action: 'read', ...permission }))),
    'read',
    'User',
  );

describe('conditionSql, of users', () => {
  it.each<[object, string, unknown[]]>([
    [{}, 'true', []],
    [{ status: 'active' }, '(m.status = $1)', ['active']],
    [{ status: { equals: 'active' } }, '((m.status = $1))', ['active']],
    [{ status: { not: 'active' } }, '((m.status <> $1))', ['active']],
    [{ id: { in: ['1', '2'] } }, '((m.id = ANY ($1)))', [['1', '2']]],
    [{ id: { in: [] } }, '((false))', []],
    [{ id: { notIn: ['1', '2'] } }, '((m.id <> ALL ($1)))', [['1', '2']]],
    [{ id: { notIn: [] } }, '((m.id <> ALL ($1)))', [[]]],
    [{ status: 'active', email: 'a@b' }, '(m.status = $1 AND m.email = $2)', ['active', 'a@b']],
    [{ OR: [] }, '(false)', []],
    [{ OR: [{ id: '1' }, { id: '2' }] }, '(((m.id = $1) OR (m.id = $2)))', ['1', '2']],
    [{ AND: [{}, { NOT: { id: '1' } }] }, '((true AND ((NOT (m.id = $1)))))', ['1']],
  ])('makes of %j', (where, text, values) => {
    expect(sqlOf(where)).toEqual([text, values]);
  });

  it('takes what CASL makes of a role', () => {
    expect(sqlOf(accessible({}))).toEqual(['((true))', []]);
    expect(sqlOf(accessible())).toEqual([expect.stringContaining('false'), []]);
    const [text, values] = sqlOf(
      accessible({ conditions: { status: 'active' } }, { conditions: { id: '1' }, inverted: true }),
    );
    expect(text).toMatch(/m\.status = \$1.* AND .*NOT \(m\.id = \$2\)/);
    expect(values).toEqual(['active', '1']);
  });

  it.each([
    [{ password: 'x' }],
    [{ constructor: 'x' }],
    [{ status: { contains: 'x' } }],
    [{ status: { in: 'x' } }],
    [{ status: { in: [1] } }],
    [{ status: null }],
    [{ status: 1 }],
    [{ AND: ['x'] }],
    [{ NOT: null }],
  ])('knows nothing of %j', (where) => {
    expect(() => conditionSql(where, CONDITION_COLUMNS)).toThrow(TypeError);
  });
});
