/**
 * Everything a role of a tenant can hold. A route, a role and a test can name nothing else.
 * The database keeps a copy (app.permissions), seeded at start, to which stored roles refer.
 */
export const PERMISSIONS = {
  Tenant: { read: 'See the tenant', update: 'Rename the tenant and change its slug', delete: 'Delete the tenant' },
  User: {
    read: 'See the users',
    invite: 'Add users',
    update: 'Rename, suspend and resume users',
    remove: 'Remove users from the tenant',
  },
  Role: {
    read: 'See the roles and who holds them',
    create: 'Create roles',
    update: 'Change roles',
    delete: 'Delete roles',
    assign: 'Give roles to users and take them away',
  },
  AuditEvent: { read: 'See the audit trail' },
} as const;

/** What every signed-in person may do with their own: account, sessions, the list of their tenants, the catalogue. */
export const OWN_PERMISSIONS = {
  Account: { read: 'See your account', update: 'Change your password' },
  Session: { read: 'See your sessions', delete: 'End your sessions' },
  Membership: { read: 'See the tenants that you are in' },
  Permission: { read: 'See the catalogue of permissions' },
} as const;

/** What stands above tenants; only platform administrators hold it. */
export const PLATFORM_PERMISSIONS = {
  Platform: {
    'create-tenant': 'Create tenants',
    'suspend-tenant': 'Suspend and resume tenants',
    'restore-tenant': 'Restore deleted tenants',
    'restore-tenant-data': 'Restore the data of a tenant to a moment, and take that back',
    'read-tenant-restores': 'See the restores of tenants',
    'read-accounts': 'See the accounts of all people',
    'update-accounts': 'Disable accounts and set first passwords',
    erase: 'Erase tenants and people for good',
    'read-erasures': 'See the receipts of what was erased',
    'read-audit': "See the platform's own audit trail",
    'read-health': 'See the state of the system in detail',
    'read-database': "See the database's size, growth and statements",
  },
} as const;

type Catalogue = typeof PERMISSIONS & typeof OWN_PERMISSIONS & typeof PLATFORM_PERMISSIONS;

export type Subject = keyof Catalogue;
export type ActionOn<S extends Subject> = keyof Catalogue[S] & string;

/** Subjects of which a tenant's role can speak. */
export type TenantSubject = keyof typeof PERMISSIONS;
export const TENANT_SUBJECTS = Object.keys(PERMISSIONS) as TenantSubject[];

/** The fields of each subject: what a permission may be narrowed to, and by which of them a condition may decide. */
export const SUBJECT_FIELDS = {
  Tenant: {
    fields: ['id', 'slug', 'name', 'status', 'createdAt', 'updatedAt', 'version'],
    conditions: ['id', 'slug', 'status'],
  },
  User: {
    fields: ['id', 'email', 'name', 'status', 'roles', 'createdAt', 'updatedAt', 'version'],
    conditions: ['id', 'email', 'status'],
  },
  Role: {
    fields: ['id', 'name', 'description', 'system', 'permissions', 'createdAt', 'updatedAt', 'version'],
    conditions: ['id', 'name'],
  },
  AuditEvent: {
    fields: [
      'id',
      'occurredAt',
      'action',
      'result',
      'actor',
      'target',
      'before',
      'after',
      'address',
      'userAgent',
      'requestId',
    ],
    conditions: ['action', 'result', 'targetType'],
  },
} as const satisfies Record<TenantSubject, { fields: readonly string[]; conditions: readonly string[] }>;

/** One entry of the catalogue. */
export interface CatalogueEntry {
  subject: TenantSubject;
  action: string;
  description: string;
}

export const CATALOGUE: readonly CatalogueEntry[] = TENANT_SUBJECTS.flatMap((subject) =>
  Object.entries(PERMISSIONS[subject]).map(([action, description]) => ({ subject, action, description })),
);

/** Stands in a condition for the id of the user who asks: `{ "id": "$me" }`. */
export const ME = '$me';
