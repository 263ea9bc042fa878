import { Injectable } from '@nestjs/common';
import type { Caller } from '../access/actor';
import { AuditLog } from '../audit/audit-log';
import { NotFoundError } from '../common/errors';
import { asDomainError } from '../database/database-errors';
import { PlatformDb } from '../database/platform-db';
import { notPlannable, StatementPlanner } from '../database/statement-planner';
import { describeStatement } from '../database/statement-text';
import type { ListStatementsQuery, StatementDto, StatementPlanDto, StatementsDto } from './statement.dto';
import { type MissingStatistics, type StatementRow, StatementsRepository } from './statements.repository';

/** What is missing, and how to enable it; docs/operations.md, "Slow statements". */
const HINTS: Record<MissingStatistics, string> = {
  no_monitor_login: 'Tenantry has no monitor login: set POSTGRES_MONITOR_URL, as npm run db:bootstrap prints it.',
  no_extension:
    'pg_stat_statements is not installed in this database: run npm run db:bootstrap again as a superuser, or CREATE EXTENSION pg_stat_statements.',
  not_loaded:
    "The server does not load pg_stat_statements: add it to the server's shared_preload_libraries and restart it.",
  outdated: 'pg_stat_statements is older than the server: run ALTER EXTENSION pg_stat_statements UPDATE.',
};

/** Which statements take the server's time, and how it runs them. */
@Injectable()
export class StatementsService {
  constructor(
    private readonly statements: StatementsRepository,
    private readonly planner: StatementPlanner,
    private readonly db: PlatformDb,
    private readonly audit: AuditLog,
  ) {}

  /** The first `limit` statements of this database in that order; why there are none where the server does not count. */
  async list({ sort, limit }: ListStatementsQuery): Promise<StatementsDto> {
    return answered(async () => {
      const source = await this.statements.locate();
      if (typeof source === 'string') return { available: false, hint: HINTS[source], countedSince: null, data: [] };
      const [since, rows] = await Promise.all([
        this.statements.countedSince(source),
        this.statements.list(source, sort, limit),
      ]);
      return { available: true, hint: null, countedSince: since.toISOString(), data: rows.map(toStatementDto) };
    });
  }

  /**
   * The generic plan of a statement that the server has counted. Nothing is executed; who asked is on record.
   * @param login under which it ran; undefined: the one that took most time
   * @throws NotFoundError when the server has not counted such a statement
   * @throws InvalidInputError `statement_not_plannable`
   */
  async plan(caller: Caller, fingerprint: string, login: string | undefined): Promise<StatementPlanDto> {
    const known = await answered(() => this.find(fingerprint));
    const candidates = known.filter((row) => login === undefined || row.login === login);
    if (candidates.length === 0) throw new NotFoundError('statement');
    const statement = candidates.find((row) => this.planner.poolOf(row.login));
    if (!statement) throw notPlannable(`only those of the serving logins can be, it is of ${candidates[0]!.login}`);
    const plan = await this.planner.plan(this.planner.poolOf(statement.login)!, statement.text);
    await this.db.run((tx) =>
      this.audit.recordForPlatform(tx, caller, {
        action: 'statement.planned',
        after: { fingerprint, login: statement.login },
      }),
    );
    return { fingerprint, login: statement.login, text: describeStatement(statement.text).text, plan };
  }

  private async find(fingerprint: string): Promise<StatementRow[]> {
    const source = await this.statements.locate();
    return typeof source === 'string' ? [] : this.statements.find(source, fingerprint);
  }
}

function toStatementDto(row: StatementRow): StatementDto {
  const { text, textFingerprint } = describeStatement(row.text);
  return {
    fingerprint: row.fingerprint,
    textFingerprint,
    login: row.login,
    text,
    calls: row.calls,
    totalMs: row.totalMs,
    meanMs: row.meanMs,
    maxMs: row.maxMs,
    rows: row.rows,
    sharedBlocksHit: row.sharedBlocksHit,
    sharedBlocksRead: row.sharedBlocksRead,
    readMs: row.readMs,
  };
}

/** The monitor's door gives pg's own errors. */
async function answered<Result>(ask: () => Promise<Result>): Promise<Result> {
  try {
    return await ask();
  } catch (error) {
    throw asDomainError(error);
  }
}
