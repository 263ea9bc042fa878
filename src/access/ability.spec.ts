import {
  accessibleWhere,
  ADMINISTRATOR_PERMISSIONS,
  buildAbility,
  isUnconditional,
  permittedFields,
  rowOf,
} from './ability';
import { CATALOGUE, OWN_PERMISSIONS, PLATFORM_PERMISSIONS } from './permissions';

const me = '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e21';
const other = '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e22';
const user = (over: object = {}) => rowOf('User', { id: other, email: 'x@example.com', status: 'active', ...over });

describe('buildAbility', () => {
  it('gives everybody their own things and nothing else', () => {
    const ability = buildAbility([]);
    for (const [subject, actions] of Object.entries(OWN_PERMISSIONS)) {
      for (const action of Object.keys(actions)) expect(ability.can(action, subject)).toBe(true);
    }
    for (const { subject, action } of CATALOGUE) expect(ability.can(action, subject)).toBe(false);
    for (const action of Object.keys(PLATFORM_PERMISSIONS.Platform))
      expect(ability.can(action, 'Platform')).toBe(false);
  });

  it('gives a platform administrator everything', () => {
    const ability = buildAbility(ADMINISTRATOR_PERMISSIONS);
    for (const { subject, action } of CATALOGUE) expect(ability.can(action, subject)).toBe(true);
    for (const action of Object.keys(PLATFORM_PERMISSIONS.Platform)) expect(ability.can(action, 'Platform')).toBe(true);
  });

  it('replaces $me by the id of the user, and meets nobody without one', () => {
    const own = [{ subject: 'User', action: 'update', conditions: { id: { in: ['$me'] } } }];
    expect(buildAbility(own, me).can('update', user({ id: me }))).toBe(true);
    expect(buildAbility(own, me).can('update', user())).toBe(false);
    expect(buildAbility(own).can('update', user({ id: me }))).toBe(false);
  });

  it('lets a prohibition win over a permission that stands after it', () => {
    const ability = buildAbility([
      { subject: 'User', action: 'read', inverted: true, conditions: { status: 'suspended' } },
      { subject: 'User', action: 'read' },
    ]);
    expect(ability.can('read', user())).toBe(true);
    expect(ability.can('read', user({ status: 'suspended' }))).toBe(false);
  });
});

describe('accessibleWhere', () => {
  const nothing = { id: { in: [] } };

  it('is an impossible condition when nothing is allowed, not an empty OR', () => {
    expect(accessibleWhere(buildAbility([]), 'read', 'User')).toEqual({ AND: [nothing] });
  });

  it('is impossible for a field that may never be read', () => {
    const ability = buildAbility([{ subject: 'User', action: 'read', fields: ['name'] }]);
    expect(accessibleWhere(ability, 'read', 'User', ['email'])).toEqual({ AND: [{}, nothing] });
    expect(accessibleWhere(ability, 'read', 'User', ['name'])).toEqual({ AND: [{}, {}] });
  });

  it('narrows a field that may be read on some rows to those rows', () => {
    const ability = buildAbility(
      [
        { subject: 'User', action: 'read', fields: ['name'] },
        { subject: 'User', action: 'read', fields: ['email'], conditions: { id: '$me' } },
      ],
      me,
    );
    expect(JSON.stringify(accessibleWhere(ability, 'read', 'User', ['email']))).toContain(me);
  });

  it('keeps prohibited rows out', () => {
    const ability = buildAbility([
      { subject: 'User', action: 'read' },
      { subject: 'User', action: 'read', inverted: true, conditions: { status: 'suspended' } },
    ]);
    expect(JSON.stringify(accessibleWhere(ability, 'read', 'User', ['name']))).toContain(
      '"NOT":{"status":"suspended"}',
    );
  });

  it('lets a prohibition without conditions close everything', () => {
    const ability = buildAbility([
      { subject: 'User', action: 'read' },
      { subject: 'User', action: 'read', inverted: true },
    ]);
    expect(accessibleWhere(ability, 'read', 'User')).toEqual({ AND: [nothing] });
  });
});

describe('isUnconditional', () => {
  const where = (...permissions: Parameters<typeof buildAbility>[0]) =>
    accessibleWhere(buildAbility(permissions, me), 'read', 'User', ['name']);
  const all = { subject: 'User', action: 'read' };

  it('is so where every row may be read, with the fields asked for', () => {
    expect(isUnconditional(where(all))).toBe(true);
  });

  it.each([
    ['nothing is allowed', []],
    ['only some rows are', [{ ...all, conditions: { id: '$me' } }]],
    ['some rows are not', [all, { ...all, inverted: true, conditions: { status: 'suspended' } }]],
    ['none is', [all, { ...all, inverted: true }]],
    ['the field may not be read', [{ ...all, fields: ['email'] }]],
    [
      'the field may be read on some rows',
      [
        { ...all, fields: ['email'] },
        { ...all, conditions: { id: me } },
      ],
    ],
  ])('is not so where %s', (_, permissions) => {
    expect(isUnconditional(where(...permissions))).toBe(false);
  });

  it('is asked of nothing else', () => {
    expect([{}, { OR: [] }, { AND: [{}], OR: [] }].map(isUnconditional)).toEqual([false, false, false]);
  });
});

describe('permittedFields', () => {
  it('is all fields for a permission without fields', () => {
    const ability = buildAbility([{ subject: 'Role', action: 'read' }]);
    expect(permittedFields(ability, 'read', 'Role', { id: other, name: 'x' })).toContain('permissions');
  });

  it('leaves prohibited fields out, on the rows that the prohibition means', () => {
    const ability = buildAbility([
      { subject: 'User', action: 'read' },
      { subject: 'User', action: 'read', inverted: true, fields: ['email'], conditions: { status: 'suspended' } },
    ]);
    const row = { id: other, email: 'x@example.com' };
    expect(permittedFields(ability, 'read', 'User', { ...row, status: 'active' })).toContain('email');
    expect(permittedFields(ability, 'read', 'User', { ...row, status: 'suspended' })).not.toContain('email');
  });
});
