import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { ArrayMaxSize, ArrayUnique, IsArray, IsObject, ValidateNested } from 'class-validator';
import { SYSTEM_ROLE_KEYS } from '../access/system-roles';
import { Id, Moment } from '../common/validation';
import { PermissionDto } from '../roles/permission.dto';

const MAX_ROLES = 50;

export class AssignRoleDto {
  @Moment({
    optional: true,
    nullable: true,
    description: 'When the role ends by itself; null or absent: never.',
    example: '2027-01-01T00:00:00Z',
  })
  expiresAt?: string | null;
}

export class RoleAssignmentDto extends AssignRoleDto {
  @Id({ example: '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e11' })
  roleId: string;
}

export class ReplaceRolesDto {
  @ApiProperty({ type: [RoleAssignmentDto], description: 'All roles that the user shall hold.' })
  @IsArray()
  @ArrayMaxSize(MAX_ROLES)
  @ArrayUnique((assignment: RoleAssignmentDto) => assignment?.roleId)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => RoleAssignmentDto)
  roles: RoleAssignmentDto[];
}

/** Without what the caller may not read of the role. */
export class RoleRefDto {
  @ApiProperty({ format: 'uuid', example: '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e11' })
  id: string;

  @ApiPropertyOptional({ example: 'Admin' })
  name?: string;

  @ApiPropertyOptional({ type: 'string', nullable: true, enum: SYSTEM_ROLE_KEYS, example: 'admin' })
  system?: string | null;
}

export class AssignedRoleDto extends RoleRefDto {
  @ApiProperty({ type: 'string', nullable: true, format: 'date-time', description: 'null: never.', example: null })
  expiresAt: string | null;
}

export class UserRolesDto {
  @ApiProperty({ type: [AssignedRoleDto] })
  data: AssignedRoleDto[];

  @ApiProperty({ type: 'integer', description: 'The ETag of the user, without its quotes.', example: 1 })
  version: number;
}

export class EffectivePermissionDto extends PermissionDto {
  @ApiProperty({ type: RoleRefDto, description: 'The role that gives it.' })
  role: RoleRefDto;
}

export class EffectivePermissionsDto {
  @ApiProperty({ type: [EffectivePermissionDto], description: 'Empty while the user is suspended.' })
  data: EffectivePermissionDto[];
}
