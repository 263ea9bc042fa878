import { Injectable } from '@nestjs/common';
import { accessibleWhere } from '../access/ability';
import type { Actor, Caller } from '../access/actor';
import { authorize } from '../access/authorize';
import { visible } from '../access/visible';
import type { AuditAction } from '../audit/audit-actions';
import { AuditLog } from '../audit/audit-log';
import { Clock } from '../common/clock';
import { NotFoundError, PreconditionFailedError } from '../common/errors';
import { newId } from '../common/id';
import { orderOf, toPage } from '../common/keyset';
import type { Page } from '../common/page.dto';
import { pick } from '../common/pick';
import { Env } from '../config/env';
import { PasswordsService } from '../credentials/passwords.service';
import { PlatformDb } from '../database/platform-db';
import { TenantDb } from '../database/tenant-db';
import { RolesRepository } from '../roles/roles.repository';
import { UserRolesRepository } from '../users/user-roles.repository';
import { UsersRepository } from '../users/users.repository';
import {
  type CreateTenantDto,
  type ListTenantsQuery,
  TENANT_FIELDS,
  TENANT_SORTS,
  type TenantDto,
  type UpdateTenantDto,
} from './tenant.dto';
import { changedTenantRow, type TenantChange, type TenantRow, TenantsRepository } from './tenants.repository';
import { toTenantDto } from './to-tenant-dto';

const DAY_MS = 24 * 60 * 60 * 1000;

@Injectable()
export class TenantsService {
  constructor(
    private readonly tenantDb: TenantDb,
    private readonly platformDb: PlatformDb,
    private readonly tenants: TenantsRepository,
    private readonly roles: RolesRepository,
    private readonly users: UsersRepository,
    private readonly userRoles: UserRolesRepository,
    private readonly passwords: PasswordsService,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
    private readonly env: Env,
  ) {}

  /** The tenants that the caller is in; for a platform administrator, all. */
  async list(caller: Caller, query: ListTenantsQuery): Promise<Page<TenantDto>> {
    const order = orderOf(TENANT_SORTS, query.sort);
    const seesAll = caller.isPlatformAdministrator;
    const asked = seesAll ? query : { ...query, deleted: 'exclude' as const };
    const rows = await this.platformDb.read((tx) =>
      this.tenants.list(tx, asked, order, seesAll ? undefined : caller.accountId),
    );
    const shown = new Set([...(query.fields ?? TENANT_FIELDS), ...(query.fields ? [] : ['deletedAt', 'purgeAfter'])]);
    return toPage(rows, query.limit, order, (row) => pick(toTenantDto(row), shown));
  }

  async read(actor: Actor, fields?: readonly string[]): Promise<TenantDto> {
    const row = await this.tenantDb.read(actor.tenantId, (tx) =>
      this.tenants.find(tx, accessibleWhere(actor.ability, 'read', 'Tenant')),
    );
    if (!row) throw new NotFoundError('tenant');
    return view(actor, row, fields);
  }

  /**
   * A new tenant with its system roles and its first owner.
   * @throws ConflictError when the slug is taken, or a password was given for somebody who has an account
   */
  async create(caller: Caller, input: CreateTenantDto): Promise<TenantDto> {
    const { owner } = input;
    if (owner.password !== undefined)
      this.passwords.assertAcceptable(owner.password, [owner.email, owner.name, input.name], '/owner/password');
    const passwordHash = owner.password === undefined ? undefined : await this.passwords.hash(owner.password);
    return this.tenantDb.run(newId(), async (tx) => {
      const tenant = await this.tenants.create(tx, input);
      const ownerRoleId = await this.roles.createSystemRoles(tx);
      const accountId = await this.users.ensureAccount(tx, { ...owner, passwordHash, pointer: '/owner/password' });
      const user = await this.users.create(tx, { accountId, email: owner.email, name: owner.name });
      await this.userRoles.assign(tx, user.id, ownerRoleId, null);
      await this.audit.record(tx, caller, {
        action: 'tenant.created',
        target: { type: 'Tenant', id: tenant.id },
        after: { ...toTenantDto(tenant), ownerId: user.id },
      });
      return toTenantDto(tenant);
    });
  }

  /** @param version of the tenant as the caller read it; undefined: whichever it is */
  async update(actor: Actor, version: number | undefined, input: UpdateTenantDto): Promise<TenantDto> {
    const fields = (['name', 'slug'] as const).filter((field) => input[field] !== undefined);
    return this.change(actor, version, 'tenant.updated', (row) => {
      authorize(actor, 'update', 'Tenant', row, fields);
      return fields.length > 0 ? pickDefined(input) : undefined;
    });
  }

  /** Closes the tenant at once; it can be restored for TENANT_RETENTION_DAYS. */
  async delete(actor: Actor, version: number | undefined): Promise<void> {
    const now = this.clock.now();
    await this.change(actor, version, 'tenant.deleted', (row) => {
      authorize(actor, 'delete', 'Tenant', row);
      return { deletedAt: now, purgeAfter: new Date(now.getTime() + this.env.TENANT_RETENTION_DAYS * DAY_MS) };
    });
  }

  /** Refuses all its users from the next request on. */
  async suspend(actor: Actor, version: number | undefined): Promise<TenantDto> {
    return this.change(actor, version, 'tenant.suspended', ({ status }) =>
      status === 'suspended' ? undefined : { status: 'suspended' },
    );
  }

  async resume(actor: Actor, version: number | undefined): Promise<TenantDto> {
    return this.change(actor, version, 'tenant.resumed', ({ status }) =>
      status === 'active' ? undefined : { status: 'active' },
    );
  }

  /** Takes back a deletion. @throws NotFoundError once the tenant is purged */
  async restore(actor: Actor, version: number | undefined): Promise<TenantDto> {
    return this.change(
      actor,
      version,
      'tenant.restored',
      ({ deletedAt }) => (deletedAt ? { deletedAt: null, purgeAfter: null } : undefined),
      { deletedToo: true },
    );
  }

  /** @param decide what to change, or undefined when the tenant is already so */
  private async change(
    actor: Actor,
    version: number | undefined,
    action: AuditAction,
    decide: (row: TenantRow) => TenantChange | undefined,
    { deletedToo = false } = {},
  ): Promise<TenantDto> {
    const accessible = accessibleWhere(actor.ability, 'read', 'Tenant');
    const before = await this.tenantDb.read(actor.tenantId, (tx) => this.tenants.find(tx, accessible));
    if (!before || (before.deletedAt && !deletedToo)) throw new NotFoundError('tenant');
    if (version !== undefined && version !== before.version) throw new PreconditionFailedError();
    const change = decide(before);
    if (!change) return view(actor, before);
    const after = changedTenantRow(before, change, this.clock.now());
    const recording = this.audit.recording(actor.tenantId, actor, {
      action,
      target: { type: 'Tenant', id: after.id },
      before: toTenantDto(before),
      after: toTenantDto(after),
    });
    await this.tenants.update(this.tenantDb, before, after, recording);
    return view(actor, after);
  }
}

/** When a tenant was deleted is no field of its own: who may see the tenant may see that. */
function view(actor: Actor, row: TenantRow, fields?: readonly string[]): TenantDto {
  const { deletedAt, purgeAfter, ...tenant } = toTenantDto(row);
  return {
    ...visible(actor, 'Tenant', row, tenant, fields),
    ...(!fields && deletedAt && { deletedAt, ...(purgeAfter && { purgeAfter }) }),
  };
}

function pickDefined(input: UpdateTenantDto): TenantChange {
  return {
    ...(input.name !== undefined && { name: input.name }),
    ...(input.slug !== undefined && { slug: input.slug }),
  };
}
