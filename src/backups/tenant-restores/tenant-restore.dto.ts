import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, ValidateIf } from 'class-validator';
import { sortValues } from '../../common/keyset';
import { PageQuery } from '../../common/page.dto';
import { Choice, Id, Moment, OneOf, Text } from '../../common/validation';
import { RESTORE_MODES, RESTORE_STATUSES, RESTORE_STEPS, type RestoreMode, type RestoreStatus } from './tenant-restore';

export const TENANT_RESTORE_SORTS = { createdAt: { column: 'createdAt', kind: 'time' } } as const;

const SLUG = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const SLUG_HINT = 'must be 1 to 63 of a-z, 0-9 and -, and begin and end with a letter or digit';

export class CreateTenantRestoreDto {
  @Text({ maxLength: 63, description: 'The slug or the id of the tenant; of a purged one the id.', example: 'acme' })
  tenant: string;

  @Moment({ description: 'The moment that it is restored to.', example: '2026-11-23T10:15:00Z' })
  at: string;

  @OneOf(RESTORE_MODES, {
    description:
      '`dry-run` shows the difference; `side-by-side` makes a new, suspended tenant; `in-place` replaces the rows, and can be undone.',
    example: 'dry-run',
  })
  mode: RestoreMode;

  @Text({
    maxLength: 63,
    pattern: SLUG,
    patternHint: SLUG_HINT,
    optional: true,
    description: 'The slug of the new tenant; with `side-by-side` alone.',
    example: 'acme-monday',
  })
  intoSlug?: string;
}

export class UndoTenantRestoreDto {
  @ApiPropertyOptional({
    type: 'boolean',
    default: false,
    description: 'Though what was written since the restore is lost.',
  })
  @ValidateIf((_, value) => value !== undefined)
  @IsBoolean()
  force?: boolean;
}

export class ListTenantRestoresQuery extends PageQuery {
  @Choice(sortValues(TENANT_RESTORE_SORTS), '-createdAt')
  sort: string = '-createdAt';

  @OneOf(RESTORE_STATUSES, { optional: true })
  status?: RestoreStatus;

  @Id({ optional: true, description: 'Only those of this tenant.' })
  tenantId?: string;
}

export class RestoreProgressDto {
  @ApiProperty({ enum: RESTORE_STEPS, example: 'log' })
  step: string;

  @ApiProperty({
    type: 'integer',
    description: 'Of `total`: bytes of `files` and `log`, else parts.',
    example: 16777216,
  })
  done: number;

  @ApiProperty({ type: 'integer', example: 50331648 })
  total: number;
}

export class RestoreDifferenceDto {
  @ApiProperty({ example: 'app.roles' })
  table: string;

  @ApiProperty({ type: 'integer', description: 'Rows that were there then and are not now.', example: 2 })
  onlyThen: number;

  @ApiProperty({ type: 'integer', description: 'Rows that are there now and were not then.', example: 0 })
  onlyNow: number;

  @ApiProperty({ type: 'integer', example: 1 })
  changed: number;

  @ApiProperty({ type: 'integer', example: 14 })
  same: number;
}

export class RestoreFindingDto {
  @ApiProperty({
    enum: [
      'account_missing',
      'account_erased',
      'email_taken',
      'permission_unknown',
      'slug_taken',
      'tenant_gone',
      'tenant_erased',
    ],
    example: 'account_missing',
  })
  code: string;

  @ApiProperty({ description: 'Whether it is in the way of a restore.', example: false })
  blocks: boolean;

  @ApiProperty({
    example:
      'The account ada@example.com (0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e31) is gone; it is brought back, disabled and without a password.',
  })
  message: string;
}

export class RestoreErrorDto {
  @ApiProperty({ description: 'Stable; docs/backups.md lists them.', example: 'outside_coverage' })
  code: string;

  @ApiProperty({ example: '2026-01-01T00:00:00.000Z cannot be restored to.' })
  message: string;
}

/** One restore of one tenant, under way or ended. */
export class TenantRestoreDto {
  @ApiProperty({ format: 'uuid', example: '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e71' })
  id: string;

  @ApiProperty({ format: 'uuid', example: '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e01' })
  restoredTenantId: string;

  @ApiProperty({ description: 'As the tenant was named in the request.', example: 'acme' })
  tenant: string;

  @ApiProperty({ format: 'date-time', example: '2026-11-23T10:15:00.000Z' })
  at: string;

  @ApiProperty({ enum: RESTORE_MODES, example: 'in-place' })
  mode: string;

  @ApiProperty({ type: 'string', nullable: true, example: null })
  intoSlug: string | null;

  @ApiProperty({ type: 'string', nullable: true, format: 'uuid', description: 'Of the new tenant.', example: null })
  intoTenantId: string | null;

  @ApiProperty({ enum: RESTORE_STATUSES, example: 'running' })
  status: string;

  @ApiProperty({ type: RestoreProgressDto, nullable: true, description: 'While it runs.' })
  progress: RestoreProgressDto | null;

  @ApiProperty({
    type: [RestoreDifferenceDto],
    nullable: true,
    description: 'Between then and now, once it is known.',
    example: [{ table: 'app.roles', onlyThen: 2, onlyNow: 0, changed: 1, same: 14 }],
  })
  difference: RestoreDifferenceDto[] | null;

  @ApiProperty({
    type: [RestoreFindingDto],
    nullable: true,
    description: 'What else there is to know, or in the way.',
    example: [],
  })
  findings: RestoreFindingDto[] | null;

  @ApiProperty({ type: RestoreErrorDto, nullable: true, description: 'Why it failed.' })
  error: RestoreErrorDto | null;

  @ApiProperty({
    type: 'string',
    nullable: true,
    format: 'uuid',
    description: 'The account of who asked for it; null: from the command line.',
    example: '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e31',
  })
  requestedBy: string | null;

  @ApiProperty({ format: 'date-time', example: '2026-11-23T11:00:00.000Z' })
  createdAt: string;

  @ApiProperty({ type: 'string', nullable: true, format: 'date-time', example: null })
  finishedAt: string | null;

  @ApiProperty({
    type: 'string',
    nullable: true,
    format: 'date-time',
    description: 'Until then it can be undone; null: it cannot.',
    example: null,
  })
  undoUntil: string | null;

  @ApiProperty({ type: 'string', nullable: true, format: 'date-time', example: null })
  undoneAt: string | null;
}
