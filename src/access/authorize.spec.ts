import { ForbiddenError } from '../common/errors';
import { buildAbility } from './ability';
import { type AccessDenied, accessDenied } from './access-denied';
import type { Actor } from './actor';
import { assertMayGrant, authorize } from './authorize';
import { type Permission, SYSTEM_ROLES } from './system-roles';

const id = '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e21';

function actorWith(permissions: readonly Permission[]): Actor {
  return {
    accountId: id,
    sessionId: id,
    email: 'ada@example.com',
    name: 'Ada',
    isPlatformAdministrator: false,
    ability: buildAbility(permissions, id),
    origin: { address: '127.0.0.1', userAgent: '', requestId: 'r' },
    tenantId: id,
    userId: id,
    roles: [],
  };
}

/** The error that is thrown, or undefined. */
function refusal(work: () => void): ForbiddenError | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return error as ForbiddenError;
  }
}

describe('authorize', () => {
  const actor = actorWith(SYSTEM_ROLES.member.permissions);
  const own = { id, email: 'ada@example.com', status: 'active' };

  it('lets a member change the own name', () => {
    expect(refusal(() => authorize(actor, 'update', 'User', own, ['name']))).toBeUndefined();
  });

  it('names each field that may not be written', () => {
    const error = refusal(() => authorize(actor, 'update', 'User', own, ['name', 'status']));
    expect(error).toMatchObject({
      code: 'field_not_permitted',
      errors: [{ pointer: '/status', code: 'field_not_permitted' }],
    });
  });

  it('refuses the row that the conditions do not meet', () => {
    const other = { ...own, id: '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e22' };
    expect(refusal(() => authorize(actor, 'update', 'User', other, ['name']))).toMatchObject({
      code: 'permission_missing',
    });
  });

  it('announces what it refuses', () => {
    const heard: AccessDenied[] = [];
    const stop = accessDenied.subscribe((event) => heard.push(event));
    refusal(() => authorize(actor, 'delete', 'Role', { id }));
    stop();
    expect(heard).toMatchObject([{ action: 'delete', subject: 'Role', targetId: id }]);
  });
});

describe('assertMayGrant', () => {
  const updateActive: Permission = { subject: 'User', action: 'update', conditions: { status: 'active' } };
  const cases: [string, Permission[], Permission[], boolean][] = [
    ['the same permission', [updateActive], [updateActive], true],
    ['more rows than held', [updateActive], [{ subject: 'User', action: 'update' }], false],
    ['other rows than held', [updateActive], [{ ...updateActive, conditions: { status: 'suspended' } }], false],
    ['fewer rows than held', [{ subject: 'User', action: 'update' }], [updateActive], true],
    ['another action', [updateActive], [{ ...updateActive, action: 'remove' }], false],
    [
      'fewer fields than held',
      [{ subject: 'User', action: 'read' }],
      [{ subject: 'User', action: 'read', fields: ['id'] }],
      true,
    ],
    [
      'more fields than held',
      [{ subject: 'User', action: 'read', fields: ['id'] }],
      [{ subject: 'User', action: 'read', fields: ['id', 'email'] }],
      false,
    ],
    [
      'all fields when some are held',
      [{ subject: 'User', action: 'read', fields: ['id'] }],
      [{ subject: 'User', action: 'read' }],
      false,
    ],
    ['a prohibition', [], [{ subject: 'User', action: 'read', inverted: true }], true],
    [
      'without the prohibition that binds the actor',
      [
        { subject: 'User', action: 'read' },
        { subject: 'User', action: 'read', inverted: true, fields: ['email'] },
      ],
      [{ subject: 'User', action: 'read' }],
      false,
    ],
    [
      'with the prohibition that binds the actor',
      [
        { subject: 'User', action: 'read' },
        { subject: 'User', action: 'read', inverted: true, fields: ['email'] },
      ],
      [
        { subject: 'User', action: 'read' },
        { subject: 'User', action: 'read', inverted: true, fields: ['email'] },
      ],
      true,
    ],
    ['the owner role by an admin', [...SYSTEM_ROLES.admin.permissions], [...SYSTEM_ROLES.owner.permissions], false],
    ['the admin role by an owner', [...SYSTEM_ROLES.owner.permissions], [...SYSTEM_ROLES.admin.permissions], true],
  ];

  it.each(cases)('decides on granting %s', (_, held, granted, allowed) => {
    const error = refusal(() => assertMayGrant(actorWith(held), granted));
    expect(error?.code).toBe(allowed ? undefined : 'permission_not_held');
  });

  it('points at the permission that is not held', () => {
    const error = refusal(() =>
      assertMayGrant(actorWith([updateActive]), [updateActive, { subject: 'Tenant', action: 'delete' }]),
    );
    expect(error?.errors).toMatchObject([{ pointer: '/permissions/1' }]);
  });
});
