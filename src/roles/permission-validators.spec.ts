import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { PermissionDto } from './permission.dto';

const id = '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e21';

/** The names of the rules that the permission breaks. */
function faults(permission: object): string[] {
  const errors = validateSync(plainToInstance(PermissionDto, permission), {
    whitelist: true,
    forbidNonWhitelisted: true,
  });
  return errors.flatMap((error) => Object.keys(error.constraints ?? {}));
}

describe('a permission of a role', () => {
  it.each([
    [{ subject: 'User', action: 'read' }],
    [{ subject: 'User', action: 'read', conditions: { status: 'active', id: '$me' } }],
    [
      {
        subject: 'User',
        action: 'read',
        conditions: { id: { in: [id, '$me'] } },
        fields: ['id', 'email'],
        inverted: true,
      },
    ],
    [{ subject: 'Role', action: 'assign', conditions: { name: { not: 'Root' } } }],
    [{ subject: 'Tenant', action: 'update', conditions: null, fields: null, inverted: null }],
  ])('can be %j', (permission) => {
    expect(faults(permission)).toEqual([]);
  });

  it.each([
    ['a subject that is unknown', { subject: 'all', action: 'read' }],
    ['a subject that every object has', { subject: 'constructor', action: 'read' }],
    ['a subject of the platform', { subject: 'Platform', action: 'create-tenant' }],
    ['an action of another subject', { subject: 'User', action: 'assign' }],
    ['the action of all actions', { subject: 'User', action: 'manage' }],
    ['an action that every object has', { subject: 'User', action: 'toString' }],
    ['a condition on a field that cannot decide', { subject: 'User', action: 'read', conditions: { name: 'x' } }],
    ['a condition on another tenant', { subject: 'User', action: 'read', conditions: { tenantId: id } }],
    ['a condition on a relation', { subject: 'User', action: 'read', conditions: { tenant: { is: { slug: 'x' } } } }],
    ['a nested OR', { subject: 'User', action: 'read', conditions: { OR: [{}] } }],
    ['an operator that is unknown', { subject: 'User', action: 'read', conditions: { email: { contains: 'x' } } }],
    ['two operators', { subject: 'User', action: 'read', conditions: { email: { equals: 'x', not: 'y' } } }],
    ['an id that is none', { subject: 'User', action: 'read', conditions: { id: 'x' } }],
    ['an empty condition', { subject: 'User', action: 'read', conditions: {} }],
    ['a list for conditions', { subject: 'User', action: 'read', conditions: [] }],
    ['an empty choice', { subject: 'User', action: 'read', conditions: { id: { in: [] } } }],
    ['a NUL byte', { subject: 'User', action: 'read', conditions: { email: 'a\0' } }],
    ['a field that is unknown', { subject: 'User', action: 'read', fields: ['passwordHash'] }],
    ['a field twice', { subject: 'User', action: 'read', fields: ['id', 'id'] }],
    ['a property that is unknown', { subject: 'User', action: 'read', tenantId: id }],
  ])('cannot have %s', (_, permission) => {
    expect(faults(permission)).not.toEqual([]);
  });
});
