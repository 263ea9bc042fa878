import { SYSTEM_ROLE_KEYS, type Permission, type SystemRoleKey } from '../../src/access/system-roles';
import { newPassword, type Person, SignedInClient, type TestApp, type Tokens } from './app';
import type { ApiTarget } from './api-client';

/** A tenant as the API gave it, with its system roles. */
export interface TestTenant {
  id: string;
  slug: string;
  name: string;
  /** The ids of the roles that come with each tenant. */
  roles: Record<SystemRoleKey, string>;
}

/** A user of a tenant, signed in. */
export class UserClient extends SignedInClient {
  constructor(
    target: ApiTarget,
    address: string,
    tokens: Tokens,
    readonly person: Person,
    /** Of the user in the tenant; not of the account. */
    readonly id: string,
  ) {
    super(target, address, tokens);
  }
}

export interface Cast {
  tenant: TestTenant;
  owner: UserClient;
  admin: UserClient;
  member: UserClient;
  viewer: UserClient;
  /** The owner of another tenant; not in this one. */
  outsider: UserClient;
}

export interface NewUserOptions {
  /** System roles by their key, others by their id. */
  roles?: readonly (SystemRoleKey | (string & {}))[];
  /** Makes a role with these, for this user alone. */
  permissions?: readonly Permission[];
  name?: string;
}

let count = 0;

/** A tenant of its own for a test, with somebody signed in for each system role. All of it is made through the API. */
export async function newTenant(app: TestApp): Promise<Cast> {
  const [{ tenant, owner }, outsider] = await Promise.all([newTenantWithOwner(app), outsiderOf(app)]);
  const [admin, member, viewer] = await Promise.all([
    newUser(app, tenant, { roles: ['admin'] }),
    newUser(app, tenant, { roles: ['member'] }),
    newUser(app, tenant, { roles: ['viewer'] }),
  ]);
  return { tenant, owner, admin, member, viewer, outsider };
}

/** The least: a tenant and its owner. */
export async function newTenantWithOwner(app: TestApp): Promise<Pick<Cast, 'tenant' | 'owner'>> {
  const person = newPerson('owner');
  const slug = `tenant-${++count}`;
  const { body } = await app.administrator
    .post<Omit<TestTenant, 'roles'>>('/v1/tenants', { name: `Tenant ${count}`, slug, owner: person })
    .expect(201);
  const roles = await systemRolesOf(app, body.id);
  const users = `/v1/tenants/${body.id}/users`;
  const found = await app.administrator
    .get<{ data: { id: string }[] }>(users)
    .query({ email: person.email })
    .expect(200);
  const owner = await signInAs(app, person, found.body.data[0]!.id);
  return { tenant: { id: body.id, slug, name: body.name, roles }, owner };
}

/** Another user of the tenant, signed in: without a role unless you say which, or which permissions it is to hold. */
export async function newUser(app: TestApp, tenant: TestTenant, options: NewUserOptions = {}): Promise<UserClient> {
  const roleIds = (options.roles ?? []).map((role) => (isSystemRole(role) ? tenant.roles[role] : role));
  if (options.permissions) roleIds.push(await newRole(app, tenant, options.permissions));
  const person = { ...newPerson('user'), ...(options.name !== undefined && { name: options.name }) };
  const { body } = await app.administrator
    .post<{ id: string }>(`/v1/tenants/${tenant.id}/users`, { ...person, roleIds })
    .expect(201);
  return signInAs(app, person, body.id);
}

/** A custom role with these permissions. @returns its id */
export async function newRole(app: TestApp, tenant: TestTenant, permissions: readonly Permission[]): Promise<string> {
  const { body } = await app.administrator
    .post<{ id: string }>(`/v1/tenants/${tenant.id}/roles`, { name: `Role ${++count}`, permissions })
    .expect(201);
  return body.id;
}

/** Somebody who has no account yet. No two have the same e-mail address. */
export function newPerson(kind: string): Person {
  count += 1;
  return { email: `${kind}-${count}@tenant.test`, name: `Test ${kind} ${count}`, password: newPassword() };
}

const outsiders = new WeakMap<TestApp, Promise<UserClient>>();

/** One for all tenants of an app: it is in none of them. */
function outsiderOf(app: TestApp): Promise<UserClient> {
  const outsider = outsiders.get(app) ?? newTenantWithOwner(app).then(({ owner }) => owner);
  outsiders.set(app, outsider);
  return outsider;
}

async function systemRolesOf(app: TestApp, tenantId: string): Promise<TestTenant['roles']> {
  const { body } = await app.administrator
    .get<{ data: { id: string; system: SystemRoleKey | null }[] }>(`/v1/tenants/${tenantId}/roles`)
    .expect(200);
  const idOf = (key: SystemRoleKey): string => body.data.find((role) => role.system === key)!.id;
  return Object.fromEntries(SYSTEM_ROLE_KEYS.map((key) => [key, idOf(key)])) as TestTenant['roles'];
}

async function signInAs(app: TestApp, person: Person, id: string): Promise<UserClient> {
  const { target, address, tokens } = await app.signIn(person);
  return new UserClient(target, address, tokens, person, id);
}

const isSystemRole = (role: string): role is SystemRoleKey => (SYSTEM_ROLE_KEYS as readonly string[]).includes(role);
