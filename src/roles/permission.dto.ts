import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { ArrayMaxSize, ArrayUnique, IsArray, IsBoolean, IsIn, IsString, ValidateIf } from 'class-validator';
import { PERMISSIONS, TENANT_SUBJECTS } from '../access/permissions';
import { IsActionOfSubject, IsConditionsOfSubject, IsFieldsOfSubject } from './permission-validators';

const present = ValidateIf((_, value) => value !== undefined && value !== null);
const ACTIONS = [...new Set(TENANT_SUBJECTS.flatMap((subject) => Object.keys(PERMISSIONS[subject])))];
const MAX_FIELDS = 50;

/** One permission of a role: the shape of a CASL rule. */
export class PermissionDto {
  @ApiProperty({ enum: TENANT_SUBJECTS, example: 'User' })
  @IsIn(TENANT_SUBJECTS)
  subject: string;

  @ApiProperty({ enum: ACTIONS, example: 'update' })
  @IsString()
  @IsActionOfSubject()
  action: string;

  @ApiPropertyOptional({
    type: 'object',
    nullable: true,
    additionalProperties: true,
    description:
      'Which rows: a value, or one of `equals not in notIn`, for each named field. `$me` stands for the id of the user who asks.',
    example: { status: 'active' },
  })
  @present
  @IsConditionsOfSubject()
  conditions?: Record<string, unknown> | null;

  @ApiPropertyOptional({
    type: [String],
    nullable: true,
    description: 'Which fields; all when absent.',
    example: ['name'],
  })
  @present
  @IsArray()
  @ArrayMaxSize(MAX_FIELDS)
  @ArrayUnique()
  @IsFieldsOfSubject()
  fields?: string[] | null;

  @ApiPropertyOptional({
    type: 'boolean',
    nullable: true,
    description: 'Forbids instead of allowing. A prohibition wins over every permission, of whichever role.',
    example: false,
  })
  @present
  @IsBoolean()
  inverted?: boolean | null;
}
