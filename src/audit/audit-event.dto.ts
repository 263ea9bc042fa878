import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { sortValues } from '../common/keyset';
import { PageQuery } from '../common/page.dto';
import { Choice, Id, Moment, OneOf } from '../common/validation';
import { AUDIT_ACTIONS, type AuditAction } from './audit-actions';

export const AUDIT_SORTS = { occurredAt: { column: 'occurredAt', kind: 'time' } } as const;

export class ListAuditEventsQuery extends PageQuery {
  @Choice(sortValues(AUDIT_SORTS), '-occurredAt')
  sort: string = '-occurredAt';

  @OneOf(AUDIT_ACTIONS, { optional: true, description: 'Only what happened this way.' })
  action?: AuditAction;

  @OneOf(['success', 'denied', 'failure'], { optional: true })
  result?: 'success' | 'denied' | 'failure';

  @Id({ optional: true, description: 'Only what this user did.' })
  actorUserId?: string;

  @Id({ optional: true, description: 'Only what happened to this.' })
  targetId?: string;

  @Moment({ optional: true, description: 'From this moment on.', example: '2026-11-23T00:00:00Z' })
  from?: string;

  @Moment({ optional: true, description: 'Before this moment.', example: '2026-11-24T00:00:00Z' })
  to?: string;
}

export class AuditActorDto {
  @ApiProperty({ enum: ['user', 'platform', 'system', 'anonymous'], example: 'user' })
  type: string;

  @ApiProperty({
    type: 'string',
    nullable: true,
    format: 'uuid',
    description: 'The user of this tenant, if it was one.',
    example: '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e21',
  })
  userId: string | null;

  @ApiPropertyOptional({
    type: 'string',
    nullable: true,
    format: 'uuid',
    description: "The person's account; in the platform's own trail only.",
    example: '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e31',
  })
  accountId?: string | null;
}

export class AuditTargetDto {
  @ApiProperty({ example: 'Role' })
  type: string;

  @ApiProperty({ format: 'uuid', example: '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e11' })
  id: string;
}

/** Without what the caller may not read. */
export class AuditEventDto {
  @ApiProperty({ format: 'uuid', example: '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e51' })
  id: string;

  @ApiPropertyOptional({ format: 'date-time', example: '2026-11-23T10:15:00.000Z' })
  occurredAt?: string;

  @ApiPropertyOptional({ enum: AUDIT_ACTIONS, example: 'role.created' })
  action?: string;

  @ApiPropertyOptional({ enum: ['success', 'denied', 'failure'], example: 'success' })
  result?: string;

  @ApiPropertyOptional({ type: AuditActorDto })
  actor?: AuditActorDto;

  @ApiPropertyOptional({ type: AuditTargetDto, nullable: true })
  target?: AuditTargetDto | null;

  @ApiPropertyOptional({
    type: 'object',
    nullable: true,
    additionalProperties: true,
    description: 'The values before.',
    example: null,
  })
  before?: object | null;

  @ApiPropertyOptional({
    type: 'object',
    nullable: true,
    additionalProperties: true,
    description: 'The values after.',
    example: { name: 'Billing manager', description: '' },
  })
  after?: object | null;

  @ApiPropertyOptional({ type: 'string', nullable: true, example: '203.0.113.7' })
  address?: string | null;

  @ApiPropertyOptional({ type: 'string', nullable: true, example: 'curl/8.5.0' })
  userAgent?: string | null;

  @ApiPropertyOptional({ type: 'string', nullable: true, example: '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e02' })
  requestId?: string | null;
}
