import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { ArrayMaxSize, IsArray, IsObject, ValidateIf, ValidateNested } from 'class-validator';
import { SUBJECT_FIELDS } from '../access/permissions';
import { SYSTEM_ROLE_KEYS } from '../access/system-roles';
import { sortValues } from '../common/keyset';
import { PageQuery } from '../common/page.dto';
import { Choice, Text, WordList } from '../common/validation';
import { PermissionDto } from './permission.dto';

const MAX_PERMISSIONS = 200;

export const ROLE_SORTS = {
  name: { column: 'nameKey', kind: 'text' },
  createdAt: { column: 'createdAt', kind: 'time' },
} as const;

export const ROLE_FIELDS = SUBJECT_FIELDS.Role.fields;

export class CreateRoleDto {
  @Text({ maxLength: 100, example: 'Billing manager' })
  name: string;

  @Text({ minLength: 0, maxLength: 500, optional: true, example: 'May see all users and change their names.' })
  description?: string;

  @ApiProperty({ type: [PermissionDto] })
  @IsArray()
  @ArrayMaxSize(MAX_PERMISSIONS)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => PermissionDto)
  permissions: PermissionDto[];
}

/** A JSON merge patch (RFC 7396): absent keeps. `permissions` replaces all of them. */
export class UpdateRoleDto {
  @Text({ maxLength: 100, optional: true, example: 'Billing manager' })
  name?: string;

  @Text({ minLength: 0, maxLength: 500, optional: true, nullable: true, description: 'null clears it.', example: null })
  description?: string | null;

  @ApiPropertyOptional({ type: [PermissionDto] })
  @ValidateIf((_, value) => value !== undefined)
  @IsArray()
  @ArrayMaxSize(MAX_PERMISSIONS)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => PermissionDto)
  permissions?: PermissionDto[];
}

export class ListRolesQuery extends PageQuery {
  @Choice(sortValues(ROLE_SORTS), 'name')
  sort: string = 'name';

  @Text({ maxLength: 100, optional: true, description: 'The beginning of the name.' })
  q?: string;

  @WordList(ROLE_FIELDS, { description: 'Only these fields; the id always.' })
  fields?: string[];
}

export class ReadRoleQuery {
  @WordList(ROLE_FIELDS, { description: 'Only these fields; the id always.' })
  fields?: string[];
}

/** Without what the caller may not read, and with `?fields` only what was asked for. */
export class RoleDto {
  @ApiProperty({ format: 'uuid', example: '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e11' })
  id: string;

  @ApiPropertyOptional({ example: 'Billing manager' })
  name?: string;

  @ApiPropertyOptional({ example: 'May see all users and change their names.' })
  description?: string;

  @ApiPropertyOptional({
    type: 'string',
    nullable: true,
    enum: SYSTEM_ROLE_KEYS,
    description: 'Which system role this is. System roles cannot be changed.',
    example: null,
  })
  system?: string | null;

  @ApiPropertyOptional({ type: [PermissionDto] })
  permissions?: PermissionDto[];

  @ApiPropertyOptional({ format: 'date-time', example: '2026-11-23T10:15:00.000Z' })
  createdAt?: string;

  @ApiPropertyOptional({ format: 'date-time', example: '2026-11-23T10:15:00.000Z' })
  updatedAt?: string;

  @ApiPropertyOptional({ type: 'integer', description: 'The ETag, without its quotes.', example: 1 })
  version?: number;
}
