import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, ValidateIf } from 'class-validator';
import { sortValues } from '../../common/keyset';
import { PageQuery } from '../../common/page.dto';
import { Choice, Id, OneOf, Text } from '../../common/validation';

export const ERASURE_SORTS = { erasedAt: { column: 'erasedAt', kind: 'time' } } as const;
const SUBJECTS = ['tenant', 'account'] as const;

export class CreateErasureDto {
  @OneOf(SUBJECTS, { description: 'What is erased: a tenant, or a person everywhere.', example: 'tenant' })
  subject: (typeof SUBJECTS)[number];

  @Id({ description: 'The id of the tenant, or of the account.', example: '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e01' })
  subjectId: string;

  @Text({
    maxLength: 254,
    description:
      "The tenant's slug, or the account's e-mail address: proof that this is the one that is meant. (The id, where a tenant was purged and only its audit trail is left.)",
    example: 'acme',
  })
  confirm: string;

  @ApiPropertyOptional({
    type: 'boolean',
    default: false,
    description:
      'With a tenant: also the accounts of people who are in no other tenant and do not administer the platform.',
  })
  @ValidateIf((_, value) => value !== undefined)
  @IsBoolean()
  includeAccounts?: boolean;
}

export class ListErasuresQuery extends PageQuery {
  @Choice(sortValues(ERASURE_SORTS), '-erasedAt')
  sort: string = '-erasedAt';

  @OneOf(SUBJECTS, { optional: true })
  subject?: (typeof SUBJECTS)[number];

  @Id({ optional: true, description: 'Only the erasure of this tenant or account.' })
  subjectId?: string;
}

/** The receipt of an erasure. It names nobody. */
export class ErasureDto {
  @ApiProperty({ format: 'uuid', example: '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e61' })
  id: string;

  @ApiProperty({ enum: SUBJECTS, example: 'tenant' })
  subject: string;

  @ApiProperty({ format: 'uuid', example: '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e01' })
  subjectId: string;

  @ApiProperty({
    type: 'array',
    items: { type: 'string', format: 'uuid' },
    description: 'The accounts that were erased.',
    example: ['0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e31'],
  })
  accountIds: string[];

  @ApiProperty({ format: 'date-time', example: '2026-11-23T10:15:00.000Z' })
  erasedAt: string;

  @ApiProperty({
    type: 'string',
    nullable: true,
    format: 'uuid',
    description: 'The account of the administrator; null: from the command line.',
    example: '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e32',
  })
  erasedBy: string | null;

  @ApiProperty({
    type: 'object',
    additionalProperties: { type: 'integer' },
    description: 'How many rows of each table were removed, or (of audit.events, for a person) stripped.',
    example: { 'app.tenants': 1, 'app.memberships': 12, 'audit.events': 340 },
  })
  rows: Record<string, number>;

  @ApiProperty({
    type: 'string',
    nullable: true,
    format: 'date-time',
    description:
      'Afterwards no backup holds what was erased, if backups are taken and pruned as configured; null where somebody else keeps them.',
    example: '2026-12-03T02:00:00.000Z',
  })
  backupsHoldUntil: string | null;

  @ApiProperty({
    description: 'SHA-256 of the signed JSON, in hex.',
    example: '5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03',
  })
  sha256: string;

  @ApiProperty({
    description:
      'All of this, signed: a JWS in compact form, verified with the keys of /.well-known/document-keys.json.',
    example: 'eyJhbGciOiJFUzI1NiIsImtpZCI6Im9LSXl3di4uLiJ9.eyJmb3JtYXQiOjEsLi4ufQ.c2lnbmF0dXJl',
  })
  receipt: string;
}
