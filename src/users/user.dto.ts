import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { ArrayMaxSize, ArrayUnique, IsArray, IsUUID, ValidateIf } from 'class-validator';
import { SUBJECT_FIELDS } from '../access/permissions';
import { lowerCaseId } from '../common/id';
import { sortValues } from '../common/keyset';
import { PageQuery } from '../common/page.dto';
import { Choice, Email, Id, OneOf, Secret, Text, WordList } from '../common/validation';
import { AssignedRoleDto } from './user-role.dto';

export const USER_STATUSES = ['active', 'suspended'] as const;
/** Only bounds the body: the password policy counts, and says what is too long. */
export const MAX_PASSWORD_LENGTH = 1_024;
const MAX_ROLES = 50;

export const USER_SORTS = {
  createdAt: { column: 'createdAt', kind: 'time' },
  name: { column: 'nameKey', kind: 'text' },
  email: { column: 'email', kind: 'text' },
} as const;

/** What can be asked for; `roles` come with `?include=roles`. */
export const USER_FIELDS = SUBJECT_FIELDS.User.fields.filter((field) => field !== 'roles');
const INCLUDES = ['roles'] as const;

export class CreateUserDto {
  @Email()
  email: string;

  @Text({ maxLength: 200, example: 'Ada Lovelace', description: 'The name in this tenant.' })
  name: string;

  @ApiPropertyOptional({ type: [String], format: 'uuid', description: 'The roles to begin with.' })
  @ValidateIf((_, value) => value !== undefined)
  @IsArray()
  @ArrayMaxSize(MAX_ROLES)
  @Transform(({ value }) => (Array.isArray(value) ? value.map(lowerCaseId) : (value as unknown)))
  @ArrayUnique()
  @IsUUID('all', { each: true })
  roleIds?: string[];

  @Secret({
    maxLength: MAX_PASSWORD_LENGTH,
    optional: true,
    description: 'A first password for a person who has no account yet. Platform administrators only.',
    example: 'violet lantern orbit',
  })
  password?: string;
}

/** A JSON merge patch (RFC 7396): absent keeps. */
export class UpdateUserDto {
  @Text({ maxLength: 200, optional: true, example: 'Ada King' })
  name?: string;

  @OneOf(USER_STATUSES, { optional: true, description: 'A suspended user is refused from the next request on.' })
  status?: (typeof USER_STATUSES)[number];
}

export class ReadUserQuery {
  @WordList(USER_FIELDS, { description: 'Only these fields; the id always.' })
  fields?: string[];

  @WordList(INCLUDES, { description: 'Related things to load with it.' })
  include?: (typeof INCLUDES)[number][];
}

export class ListUsersQuery extends PageQuery {
  @Choice(sortValues(USER_SORTS), 'createdAt')
  sort: string = 'createdAt';

  @OneOf(USER_STATUSES, { optional: true })
  status?: (typeof USER_STATUSES)[number];

  @Email({ optional: true, description: 'Exactly this address.' })
  email?: string;

  @Id({ optional: true, description: 'Only who holds this role.' })
  roleId?: string;

  @Text({ maxLength: 200, optional: true, description: 'The beginning of the name or of the e-mail address.' })
  q?: string;

  @WordList(USER_FIELDS, { description: 'Only these fields; the id always.' })
  fields?: string[];

  @WordList(INCLUDES, { description: 'Related things to load with each.' })
  include?: (typeof INCLUDES)[number][];
}

/** Without what the caller may not read, and with `?fields` only what was asked for. */
export class UserDto {
  @ApiProperty({
    format: 'uuid',
    description: "The person's id in this tenant.",
    example: '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e21',
  })
  id: string;

  @ApiPropertyOptional({ format: 'email', example: 'ada@example.com' })
  email?: string;

  @ApiPropertyOptional({ example: 'Ada Lovelace' })
  name?: string;

  @ApiPropertyOptional({ enum: USER_STATUSES, example: 'active' })
  status?: string;

  @ApiPropertyOptional({ type: [AssignedRoleDto], description: 'With `?include=roles`.' })
  roles?: AssignedRoleDto[];

  @ApiPropertyOptional({ format: 'date-time', example: '2026-11-23T10:15:00.000Z' })
  createdAt?: string;

  @ApiPropertyOptional({ format: 'date-time', example: '2026-11-23T10:15:00.000Z' })
  updatedAt?: string;

  @ApiPropertyOptional({ type: 'integer', description: 'The ETag, without its quotes.', example: 1 })
  version?: number;
}
