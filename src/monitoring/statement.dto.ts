import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsInt, Max, Min } from 'class-validator';
import { Choice, OneOf } from '../common/validation';
import { STATEMENT_SORTS, type StatementSort } from './statements.repository';

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 100;
/** Under these logins a plan can be made. */
const PLANNED_LOGINS = ['tenantry_app', 'tenantry_platform'] as const;

export class ListStatementsQuery {
  @Choice(Object.keys(STATEMENT_SORTS), 'totalTime')
  sort: StatementSort = 'totalTime';

  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT })
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(MAX_LIMIT)
  limit: number = DEFAULT_LIMIT;
}

export class PlanStatementQuery {
  @OneOf(PLANNED_LOGINS, {
    optional: true,
    description: 'Under which login, when several have run it; else the one that took most time.',
  })
  login?: (typeof PLANNED_LOGINS)[number];
}

/** A statement under one login. Times in milliseconds. */
export class StatementDto {
  @ApiProperty({ description: "PostgreSQL's `queryid`.", example: '-4213366187425716201' })
  fingerprint: string;

  @ApiProperty({
    description: 'That of the text, as the log of slow statements has it: it stays when the database is restored.',
    example: '5f1d7a84db00d2fc',
  })
  textFingerprint: string;

  @ApiProperty({ example: 'tenantry_app' })
  login: string;

  @ApiProperty({
    description: 'Without values and comments; cut at 2,000 characters.',
    example: 'SELECT "id", "name" FROM "app"."roles" WHERE "tenant_id" = $1 ORDER BY "name" LIMIT $2',
  })
  text: string;

  @ApiProperty({ type: 'integer', example: 1_204 })
  calls: number;

  @ApiProperty({ example: 903.2 })
  totalMs: number;

  @ApiProperty({ example: 0.75 })
  meanMs: number;

  @ApiProperty({ example: 48.1 })
  maxMs: number;

  @ApiProperty({ description: 'Returned or changed, over all calls.', type: 'integer', example: 24_080 })
  rows: number;

  @ApiProperty({ description: 'Blocks of 8 KiB found in shared memory.', type: 'integer', example: 9_632 })
  sharedBlocksHit: number;

  @ApiProperty({ description: 'Blocks that were read.', type: 'integer', example: 12 })
  sharedBlocksRead: number;

  @ApiProperty({ description: "Time of those reads; 0 while the server's track_io_timing is off.", example: 1.4 })
  readMs: number;
}

export class StatementsDto {
  @ApiProperty({ description: 'Whether the server counts its statements.', example: true })
  available: boolean;

  @ApiProperty({
    type: 'string',
    nullable: true,
    description: 'When it does not: what is missing, and how to enable it.',
    example: null,
  })
  hint: string | null;

  @ApiProperty({
    type: 'string',
    format: 'date-time',
    nullable: true,
    description: 'Since when is counted.',
    example: '2026-11-23T10:15:00.000Z',
  })
  countedSince: string | null;

  @ApiProperty({ type: [StatementDto] })
  data: StatementDto[];
}

export class StatementPlanDto {
  @ApiProperty({ example: '-4213366187425716201' })
  fingerprint: string;

  @ApiProperty({ description: 'Under which the plan was made.', example: 'tenantry_app' })
  login: string;

  @ApiProperty({ example: 'SELECT "id", "name" FROM "app"."roles" WHERE "tenant_id" = $1 ORDER BY "name" LIMIT $2' })
  text: string;

  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    description: "The `Plan` of PostgreSQL's EXPLAIN (FORMAT JSON): for any values, not executed.",
    example: { 'Node Type': 'Index Scan', 'Index Name': 'roles_pkey', 'Total Cost': 8.17, 'Plan Rows': 1 },
  })
  plan: object;
}
