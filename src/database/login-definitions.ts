/** Each login of Tenantry, by what it is for (docs/architecture.md, "The logins"). */
export const LOGINS = {
  /** Migrations only: it owns the database and all in it. By inheritance it is pg_database_owner, who owns `public`. */
  owner: { name: 'tenantry_owner', replication: false, inherit: true, memberOf: [], servesRequests: false },
  /** Every tenant-scoped query, under row-level security. */
  app: { name: 'tenantry_app', replication: false, inherit: false, memberOf: [], servesRequests: true },
  /** Sign-in and what stands above tenants, under policies of its own. */
  platform: { name: 'tenantry_platform', replication: false, inherit: false, memberOf: [], servesRequests: true },
  /** Statistics. It inherits, or it would have to SET ROLE to pg_monitor first. */
  monitor: {
    name: 'tenantry_monitor',
    replication: false,
    inherit: true,
    memberOf: ['pg_monitor'],
    servesRequests: false,
  },
  /** Base backups and restores. */
  backup: { name: 'tenantry_backup', replication: true, inherit: false, memberOf: [], servesRequests: false },
} as const satisfies Record<string, LoginDefinition>;

export type LoginPurpose = keyof typeof LOGINS;
export type LoginUrls = Record<LoginPurpose, string>;

export const LOGIN_PURPOSES = Object.keys(LOGINS) as LoginPurpose[];

export interface LoginDefinition {
  name: string;
  replication: boolean;
  inherit: boolean;
  memberOf: readonly string[];
  /** Such a login may belong to nothing but `memberOf`; for the others an operator may have reasons. */
  servesRequests: boolean;
}
