import { Injectable } from '@nestjs/common';
import type { Caller } from '../access/actor';
import { AuditLog } from '../audit/audit-log';
import { Clock } from '../common/clock';
import { NotFoundError } from '../common/errors';
import { orderOf, toPage } from '../common/keyset';
import type { Page } from '../common/page.dto';
import { PlatformDb } from '../database/platform-db';
import { type ListSessionsQuery, SESSION_SORTS, type SessionDto } from './session.dto';
import { type SessionRow, SessionsRepository } from './sessions.repository';

/** A person's own sessions. */
@Injectable()
export class SessionsService {
  constructor(
    private readonly db: PlatformDb,
    private readonly sessions: SessionsRepository,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  /** The caller's live sessions. */
  async list(caller: Caller, query: ListSessionsQuery): Promise<Page<SessionDto>> {
    const order = orderOf(SESSION_SORTS, query.sort);
    const rows = await this.db.read((tx) =>
      this.sessions.listAlive(tx, caller.accountId, query, order, this.clock.now()),
    );
    return toPage(rows, query.limit, order, (row) => toSessionDto(row, caller.sessionId));
  }

  /** @throws NotFoundError when it is not a live session of the caller's own */
  async end(caller: Caller, id: string): Promise<void> {
    const recording = this.audit.recordingForPlatform(caller, {
      action: 'session.ended',
      target: { type: 'Session', id },
      after: { reason: 'ended_by_owner' },
    });
    const now = this.clock.now();
    const ended = await this.sessions.end(this.db, caller.accountId, id, 'ended_by_owner', now, recording);
    if (!ended) throw new NotFoundError('session');
  }
}

function toSessionDto(row: SessionRow, currentId: string): SessionDto {
  return {
    id: row.id,
    address: row.address,
    userAgent: row.userAgent,
    current: row.id === currentId,
    createdAt: row.createdAt.toISOString(),
    lastUsedAt: row.lastUsedAt.toISOString(),
    expiresAt: row.expiresAt.toISOString(),
  };
}
