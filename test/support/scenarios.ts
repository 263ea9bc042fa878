import { newAccount, newSession, type SessionOfAccount } from './account';
import type { ApiClient } from './api-client';
import { newPassword, type TestApp } from './app';
import { recordRestore } from './restored-tenant';
import { scraperOf } from './scrape';
import { type Cast, newPerson, newRole, newTenantWithOwner, newUser, type UserClient } from './tenant';

/** Objects of one tenant, enough to call each operation once. */
export interface Stage extends Pick<Cast, 'tenant' | 'owner' | 'admin'> {
  app: TestApp;
  /** A user who holds one custom role. */
  user: UserClient;
  roleId: string;
  /** A role that nobody holds. */
  freeRoleId: string;
  /** A person above tenants' reach, and a session of theirs. */
  session: SessionOfAccount;
  accountId: string;
  /** Of the tenant, in place; it can be undone. */
  restoreId: string;
  /** Of a statement that the database has run and can plan. */
  fingerprint: string;
}

/** How to call an operation so that it succeeds. */
export interface Scenario {
  /** The ids in its path. */
  ids?: (stage: Stage) => Record<string, string>;
  /** Ids that nothing has, where they are no UUIDs. */
  unknownIds?: Record<string, string>;
  body?: (stage: Stage) => object;
  headers?: Record<string, string>;
  /** Who may; the owner of the tenant unless said otherwise. */
  caller?: (stage: Stage) => ApiClient;
  status: number;
}

/** A tenant and all that the scenarios need, made through the API. */
export async function setStage(app: TestApp): Promise<Stage> {
  const { tenant, owner } = await newTenantWithOwner(app);
  const [freeRoleId, roleId, account, admin] = await Promise.all([
    newRole(app, tenant, []),
    newRole(app, tenant, [{ subject: 'User', action: 'read' }]),
    newAccount(app),
    newUser(app, tenant, { roles: ['admin'] }),
  ]);
  const [user, session] = await Promise.all([newUser(app, tenant, { roles: [roleId] }), newSession(app, account)]);
  const fingerprint = await knownStatement(app);
  const restoreId = await recordRestore(app.database, tenant.id);
  return {
    app,
    tenant,
    owner,
    admin,
    user,
    roleId,
    freeRoleId,
    session,
    accountId: account.id,
    restoreId,
    fingerprint,
  };
}

/** Any sign-in has run it. */
async function knownStatement({ database }: TestApp): Promise<string> {
  const [statement] = await database.query<{ fingerprint: string }>(
    'monitor',
    `SELECT queryid::text AS fingerprint FROM statistics.pg_stat_statements
     WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND userid = 'tenantry_platform'::regrole AND query LIKE 'SELECT%"identity"."users"%' LIMIT 1`,
  );
  return statement!.fingerprint;
}

const IF_MATCH = { 'if-match': '"1"' };
const administrator = ({ app }: Stage): ApiClient => app.administrator;
const self = ({ session }: Stage): ApiClient => session.client;
const anonymous = ({ app }: Stage): ApiClient => app.anonymous();
const scraper = ({ app }: Stage): ApiClient => scraperOf(app);
const inTenant = ({ tenant }: Stage) => ({ tenantId: tenant.id });
const ofUser = (stage: Stage) => ({ ...inTenant(stage), userId: stage.user.id });
const ofRole = (stage: Stage) => ({ ...inTenant(stage), roleId: stage.freeRoleId });
const ofAccount = ({ accountId }: Stage) => ({ accountId });
const ofRestore = ({ restoreId }: Stage) => ({ restoreId });

/** Every operation of the OpenAPI document; every-route.e2e-spec.ts fails when one is missing here. */
export const SCENARIOS: Record<string, Scenario> = {
  'POST /v1/auth/login': {
    caller: anonymous,
    body: ({ user: { person } }) => ({ email: person.email, password: person.password }),
    status: 200,
  },
  'POST /v1/auth/refresh': {
    caller: anonymous,
    body: ({ session }) => ({ refreshToken: session.refreshToken }),
    status: 200,
  },
  'POST /v1/auth/logout': { caller: self, status: 204 },
  'GET /v1/auth/me': { caller: self, status: 200 },
  'PUT /v1/auth/password': {
    caller: ({ user }) => user,
    body: ({ user }) => ({ currentPassword: user.person.password, newPassword: newPassword() }),
    status: 204,
  },
  'GET /v1/auth/sessions': { caller: self, status: 200 },
  'DELETE /v1/auth/sessions/{sessionId}': {
    caller: self,
    ids: ({ session }) => ({ sessionId: session.id }),
    status: 204,
  },
  'GET /.well-known/jwks.json': { caller: anonymous, status: 200 },
  'GET /.well-known/document-keys.json': { caller: anonymous, status: 200 },
  'GET /v1/tenants': { status: 200 },
  'POST /v1/tenants': {
    caller: administrator,
    body: () => {
      const { email, name } = newPerson('owner');
      return { name: 'Another', slug: email.split('@')[0], owner: { email, name } };
    },
    status: 201,
  },
  'GET /v1/tenants/{tenantId}': { ids: inTenant, status: 200 },
  'PATCH /v1/tenants/{tenantId}': { ids: inTenant, body: () => ({ name: 'Renamed' }), status: 200 },
  'DELETE /v1/tenants/{tenantId}': { ids: inTenant, status: 204 },
  'POST /v1/tenants/{tenantId}/suspend': { caller: administrator, ids: inTenant, status: 200 },
  'POST /v1/tenants/{tenantId}/resume': { caller: administrator, ids: inTenant, status: 200 },
  'POST /v1/tenants/{tenantId}/restore': { caller: administrator, ids: inTenant, status: 200 },
  'GET /v1/tenants/{tenantId}/users': { ids: inTenant, status: 200 },
  'POST /v1/tenants/{tenantId}/users': {
    ids: inTenant,
    body: () => {
      const { email, name } = newPerson('user');
      return { email, name };
    },
    status: 201,
  },
  'GET /v1/tenants/{tenantId}/users/{userId}': { ids: ofUser, status: 200 },
  'PATCH /v1/tenants/{tenantId}/users/{userId}': { ids: ofUser, body: () => ({ name: 'Renamed' }), status: 200 },
  'DELETE /v1/tenants/{tenantId}/users/{userId}': { ids: ofUser, status: 204 },
  'GET /v1/tenants/{tenantId}/users/{userId}/roles': { ids: ofUser, status: 200 },
  'PUT /v1/tenants/{tenantId}/users/{userId}/roles': { ids: ofUser, body: () => ({ roles: [] }), status: 200 },
  'PUT /v1/tenants/{tenantId}/users/{userId}/roles/{roleId}': {
    ids: (stage) => ({ ...ofUser(stage), roleId: stage.freeRoleId }),
    body: () => ({}),
    status: 200,
  },
  'DELETE /v1/tenants/{tenantId}/users/{userId}/roles/{roleId}': {
    ids: (stage) => ({ ...ofUser(stage), roleId: stage.roleId }),
    status: 204,
  },
  'GET /v1/tenants/{tenantId}/users/{userId}/permissions': { ids: ofUser, status: 200 },
  'GET /v1/tenants/{tenantId}/roles': { ids: inTenant, status: 200 },
  'POST /v1/tenants/{tenantId}/roles': {
    ids: inTenant,
    body: () => ({ name: `New ${newPassword()}`, permissions: [] }),
    status: 201,
  },
  'GET /v1/tenants/{tenantId}/roles/{roleId}': { ids: ofRole, status: 200 },
  'PATCH /v1/tenants/{tenantId}/roles/{roleId}': {
    ids: ofRole,
    headers: IF_MATCH,
    body: () => ({ description: 'Changed' }),
    status: 200,
  },
  'DELETE /v1/tenants/{tenantId}/roles/{roleId}': { ids: ofRole, headers: IF_MATCH, status: 204 },
  'GET /v1/permissions': { caller: self, status: 200 },
  'GET /v1/tenants/{tenantId}/audit-events': { ids: inTenant, status: 200 },
  'GET /v1/platform/audit-events': { caller: administrator, status: 200 },
  'GET /v1/platform/database/size': { caller: administrator, status: 200 },
  'GET /v1/platform/erasures': { caller: administrator, status: 200 },
  'POST /v1/platform/erasures': {
    caller: administrator,
    body: ({ tenant }) => ({ subject: 'tenant', subjectId: tenant.id, confirm: tenant.slug }),
    status: 201,
  },
  'GET /v1/platform/tenant-restores': { caller: administrator, status: 200 },
  'POST /v1/platform/tenant-restores': {
    caller: administrator,
    body: ({ tenant }) => ({ tenant: tenant.slug, at: '2026-11-23T10:15:00Z', mode: 'dry-run' }),
    status: 202,
  },
  'GET /v1/platform/tenant-restores/{restoreId}': { caller: administrator, ids: ofRestore, status: 200 },
  'POST /v1/platform/tenant-restores/{restoreId}/undo': {
    caller: administrator,
    ids: ofRestore,
    body: () => ({ force: true }),
    status: 200,
  },
  'GET /v1/platform/accounts': { caller: administrator, status: 200 },
  'GET /v1/platform/accounts/{accountId}': { caller: administrator, ids: ofAccount, status: 200 },
  'PATCH /v1/platform/accounts/{accountId}': {
    caller: administrator,
    ids: ofAccount,
    body: () => ({ name: 'Renamed' }),
    status: 200,
  },
  'GET /metrics': { caller: scraper, status: 200 },
  'GET /v1/platform/database/statements': { caller: administrator, status: 200 },
  'GET /v1/platform/database/statements/{fingerprint}/plan': {
    caller: administrator,
    ids: ({ fingerprint }) => ({ fingerprint }),
    unknownIds: { fingerprint: '1234567890' },
    status: 200,
  },
  'GET /health': { caller: administrator, status: 200 },
  'GET /health/live': { caller: anonymous, status: 200 },
  'GET /health/ready': { caller: anonymous, status: 200 },
  'GET /health/startup': { caller: anonymous, status: 200 },
};

/** The path of an operation with these ids. */
export function pathOf(operation: string, ids: Record<string, string>): string {
  return operation.split(' ')[1]!.replace(/\{(\w+)\}/g, (_, name: string) => ids[name]!);
}

/** Calls an operation as its scenario says, or with other ids, or as somebody else. */
export function play(
  stage: Stage,
  operation: string,
  over: { ids?: Record<string, string>; caller?: ApiClient; body?: object } = {},
) {
  const { ids, body, headers = {}, caller } = SCENARIOS[operation]!;
  const client = over.caller ?? caller?.(stage) ?? stage.owner;
  const path = pathOf(operation, over.ids ?? ids?.(stage) ?? {});
  const method = operation.split(' ')[0] as 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  const call = client.request(method, path, over.body ?? body?.(stage));
  for (const [name, value] of Object.entries(headers)) call.set(name, value);
  return call;
}
