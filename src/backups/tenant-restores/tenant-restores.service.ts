import { Injectable } from '@nestjs/common';
import { isUUID } from 'class-validator';
import type { Caller } from '../../access/actor';
import { Clock } from '../../common/clock';
import { InvalidInputError, NotFoundError } from '../../common/errors';
import { orderOf, toPage } from '../../common/keyset';
import type { Page } from '../../common/page.dto';
import { regardless } from '../../database/abandonment';
import { PlatformDb } from '../../database/platform-db';
import type { RestoreRequest } from './tenant-restore';
import {
  type CreateTenantRestoreDto,
  type ListTenantRestoresQuery,
  TENANT_RESTORE_SORTS,
  type TenantRestoreDto,
} from './tenant-restore.dto';
import { TenantRestoreJob, type RestoreConnections } from './tenant-restore-job';
import { TenantRestoreRunner } from './tenant-restore-runner';
import { TenantRestoresRepository } from './tenant-restores.repository';
import { toTenantRestoreDto } from './to-tenant-restore-dto';
import { undoRestore } from './undo-restore';

/** Restores of single tenants, for platform administrators. */
@Injectable()
export class TenantRestoresService {
  constructor(
    private readonly db: PlatformDb,
    private readonly restores: TenantRestoresRepository,
    private readonly runner: TenantRestoreRunner,
    private readonly clock: Clock,
  ) {}

  async list(query: ListTenantRestoresQuery): Promise<Page<TenantRestoreDto>> {
    const order = orderOf(TENANT_RESTORE_SORTS, query.sort);
    const rows = await this.db.read((tx) => this.restores.list(tx, query, order));
    return toPage(rows, query.limit, order, (row) => toTenantRestoreDto(row, this.clock.now()));
  }

  /** @throws NotFoundError */
  async read(id: string): Promise<TenantRestoreDto> {
    const row = await this.db.read((tx) => this.restores.find(tx, id));
    if (!row) throw new NotFoundError('restore of a tenant');
    return toTenantRestoreDto(row, this.clock.now());
  }

  /**
   * Begins a restore; how it goes is read by its id.
   * @throws NotFoundError when no tenant has this slug
   * @throws ConflictError when backups are not configured, or one of this tenant is under way
   */
  async create(caller: Caller, input: CreateTenantRestoreDto): Promise<TenantRestoreDto> {
    const { mode, intoSlug } = input;
    if ((mode === 'side-by-side') !== (intoSlug !== undefined)) {
      const message = 'intoSlug belongs to side-by-side, and to nothing else.';
      throw new InvalidInputError([{ pointer: '/intoSlug', code: 'into_slug', message }]);
    }
    const connections = await this.runner.connect();
    let job: TenantRestoreJob;
    try {
      const tenantId = await idOf(connections, input.tenant);
      const at = new Date(input.at);
      const request: RestoreRequest = { tenantId, tenantSlug: input.tenant, at, mode, intoSlug, requester: caller };
      job = await TenantRestoreJob.begin(connections, request);
    } catch (error) {
      await connections.close();
      throw error;
    }
    this.runner.start(job);
    return regardless(() => this.read(job.id));
  }

  /**
   * Takes a restore in place back.
   * @throws NotFoundError; ConflictError when it is none that can be undone (any more), or something was written since
   */
  async undo(caller: Caller, id: string, force: boolean): Promise<TenantRestoreDto> {
    await this.read(id);
    const connections = await this.runner.connect();
    try {
      await undoRestore(connections.writer, id, { requester: caller, force });
    } finally {
      await connections.close();
    }
    return regardless(() => this.read(id));
  }
}

async function idOf({ records }: RestoreConnections, name: string): Promise<string> {
  if (isUUID(name)) return name.toLowerCase();
  const id = await records.tenantIdOf(name);
  if (id === undefined) throw new NotFoundError('tenant');
  return id;
}
