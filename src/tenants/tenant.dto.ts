import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsDefined, IsObject, ValidateNested } from 'class-validator';
import { SUBJECT_FIELDS } from '../access/permissions';
import { sortValues } from '../common/keyset';
import { PageQuery } from '../common/page.dto';
import { Choice, Email, OneOf, Secret, Text, WordList } from '../common/validation';
import { MAX_PASSWORD_LENGTH } from '../users/user.dto';

const SLUG = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const SLUG_HINT = 'must be 1 to 63 of a-z, 0-9 and -, and begin and end with a letter or digit';
export const TENANT_STATUSES = ['active', 'suspended'] as const;
export const TENANT_FIELDS = SUBJECT_FIELDS.Tenant.fields;

export const TENANT_SORTS = {
  createdAt: { column: 'createdAt', kind: 'time' },
  name: { column: 'nameKey', kind: 'text' },
  slug: { column: 'slug', kind: 'text' },
} as const;

export class TenantOwnerDto {
  @Email()
  email: string;

  @Text({ maxLength: 200, example: 'Ada Lovelace' })
  name: string;

  @Secret({
    maxLength: MAX_PASSWORD_LENGTH,
    optional: true,
    description: 'A first password, for a person who has no account yet.',
    example: 'violet lantern orbit',
  })
  password?: string;
}

export class CreateTenantDto {
  @Text({ maxLength: 200, example: 'Acme Inc.' })
  name: string;

  @Text({ maxLength: 63, pattern: SLUG, patternHint: SLUG_HINT, example: 'acme' })
  slug: string;

  @ApiProperty({ type: TenantOwnerDto, description: 'Who owns the tenant at first.' })
  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => TenantOwnerDto)
  owner: TenantOwnerDto;
}

/** A JSON merge patch (RFC 7396): absent keeps. */
export class UpdateTenantDto {
  @Text({ maxLength: 200, optional: true, example: 'Acme International' })
  name?: string;

  @Text({ maxLength: 63, pattern: SLUG, patternHint: SLUG_HINT, optional: true, example: 'acme-intl' })
  slug?: string;
}

export class ReadTenantQuery {
  @WordList(TENANT_FIELDS, { description: 'Only these fields; the id always.' })
  fields?: string[];
}

export class ListTenantsQuery extends PageQuery {
  @Choice(sortValues(TENANT_SORTS), 'createdAt')
  sort: string = 'createdAt';

  @OneOf(TENANT_STATUSES, { optional: true })
  status?: (typeof TENANT_STATUSES)[number];

  @Text({ maxLength: 200, optional: true, description: 'The beginning of the name or of the slug.' })
  q?: string;

  @OneOf(['exclude', 'only'], {
    optional: true,
    description: 'Deleted tenants; only platform administrators see any. Excluded by default.',
  })
  deleted?: 'exclude' | 'only';

  @WordList(TENANT_FIELDS, { description: 'Only these fields; the id always.' })
  fields?: string[];
}

/** Without what the caller may not read, and with `?fields` only what was asked for. */
export class TenantDto {
  @ApiProperty({ format: 'uuid', example: '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e01' })
  id: string;

  @ApiPropertyOptional({ example: 'acme' })
  slug?: string;

  @ApiPropertyOptional({ example: 'Acme Inc.' })
  name?: string;

  @ApiPropertyOptional({ enum: TENANT_STATUSES, example: 'active' })
  status?: string;

  @ApiPropertyOptional({
    format: 'date-time',
    description: 'Present when the tenant is deleted.',
    example: '2026-11-24T09:00:00.000Z',
  })
  deletedAt?: string;

  @ApiPropertyOptional({
    format: 'date-time',
    description: 'Until then a deleted tenant can be restored.',
    example: '2026-12-24T09:00:00.000Z',
  })
  purgeAfter?: string;

  @ApiPropertyOptional({ format: 'date-time', example: '2026-11-23T10:15:00.000Z' })
  createdAt?: string;

  @ApiPropertyOptional({ format: 'date-time', example: '2026-11-23T10:15:00.000Z' })
  updatedAt?: string;

  @ApiPropertyOptional({ type: 'integer', description: 'The ETag, without its quotes.', example: 1 })
  version?: number;
}
