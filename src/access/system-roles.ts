import { CATALOGUE, ME } from './permissions';

/** One permission of a role: the shape of a CASL rule. */
export interface Permission {
  subject: string;
  action: string;
  conditions?: Record<string, unknown> | undefined;
  fields?: string[] | undefined;
  inverted?: boolean | undefined;
}

export const SYSTEM_ROLE_KEYS = ['owner', 'admin', 'member', 'viewer'] as const;
export type SystemRoleKey = (typeof SYSTEM_ROLE_KEYS)[number];

interface SystemRole {
  name: string;
  description: string;
  permissions: readonly Permission[];
}

const read: Permission[] = ['Tenant', 'User', 'Role'].map((subject) => ({ subject, action: 'read' }));
const everything: Permission[] = CATALOGUE.map(({ subject, action }) => ({ subject, action }));

/** The four roles that come with each tenant and cannot be edited. Their permissions stand here, not in the database. */
export const SYSTEM_ROLES: Record<SystemRoleKey, SystemRole> = {
  owner: { name: 'Owner', description: 'May do everything in this tenant.', permissions: everything },
  admin: {
    name: 'Admin',
    description: 'May do everything but delete the tenant.',
    permissions: everything.filter(({ subject, action }) => !(subject === 'Tenant' && action === 'delete')),
  },
  member: {
    name: 'Member',
    description: 'May see the tenant, its users and roles, and change the own name.',
    permissions: [...read, { subject: 'User', action: 'update', fields: ['name'], conditions: { id: ME } }],
  },
  viewer: { name: 'Viewer', description: 'May see the tenant, its users and roles.', permissions: read },
};
