import { Body, Controller, Delete, Get, HttpCode, Put } from '@nestjs/common';
import { ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Actor } from '../access/actor';
import { Can } from '../access/can.decorator';
import { CurrentActor } from '../access/current-actor.decorator';
import { ApiProblem } from '../http/api-problem.decorator';
import { ApiTenantParam, IdParam } from '../http/id-param.decorator';
import { IfMatch } from '../http/if-match.decorator';
import { AssignRoleDto, EffectivePermissionsDto, ReplaceRolesDto, UserRolesDto } from './user-role.dto';
import { UserRolesService } from './user-roles.service';

@Controller('v1/tenants/:tenantId/users/:userId')
@ApiTags('users')
@ApiTenantParam()
export class UserRolesController {
  constructor(private readonly userRoles: UserRolesService) {}

  @Get('roles')
  @ApiOperation({ operationId: 'listUserRoles', summary: 'List the roles that a user holds' })
  @Can('read', 'Role')
  @ApiOkResponse({ type: UserRolesDto })
  list(@CurrentActor() actor: Actor, @IdParam('userId') userId: string): Promise<UserRolesDto> {
    return this.userRoles.list(actor, userId);
  }

  @Put('roles')
  @ApiOperation({ operationId: 'replaceUserRoles', summary: 'Replace all roles of a user' })
  @Can('assign', 'Role')
  @ApiOkResponse({ type: UserRolesDto })
  @ApiProblem('permission_not_held', 'last_owner')
  replace(
    @CurrentActor() actor: Actor,
    @IdParam('userId') userId: string,
    @IfMatch() version: number | undefined,
    @Body() input: ReplaceRolesDto,
  ): Promise<UserRolesDto> {
    return this.userRoles.replace(actor, userId, version, input);
  }

  @Put('roles/:roleId')
  @ApiOperation({ operationId: 'assignRole', summary: 'Give a user a role, or change when it ends' })
  @Can('assign', 'Role')
  @ApiOkResponse({ type: UserRolesDto })
  @ApiProblem('permission_not_held', 'last_owner')
  assign(
    @CurrentActor() actor: Actor,
    @IdParam('userId') userId: string,
    @IdParam('roleId') roleId: string,
    @IfMatch() version: number | undefined,
    @Body() input: AssignRoleDto,
  ): Promise<UserRolesDto> {
    return this.userRoles.assign(actor, userId, roleId, version, input);
  }

  @Delete('roles/:roleId')
  @ApiOperation({ operationId: 'unassignRole', summary: 'Take a role from a user' })
  @Can('assign', 'Role')
  @HttpCode(204)
  @ApiNoContentResponse()
  @ApiProblem('permission_not_held', 'last_owner')
  unassign(
    @CurrentActor() actor: Actor,
    @IdParam('userId') userId: string,
    @IdParam('roleId') roleId: string,
    @IfMatch() version: number | undefined,
  ): Promise<void> {
    return this.userRoles.unassign(actor, userId, roleId, version);
  }

  @Get('permissions')
  @ApiOperation({
    operationId: 'listUserPermissions',
    summary: 'List what a user may do, each permission with the role that gives it',
  })
  @Can('read', 'Role')
  @ApiOkResponse({ type: EffectivePermissionsDto })
  permissions(@CurrentActor() actor: Actor, @IdParam('userId') userId: string): Promise<EffectivePermissionsDto> {
    return this.userRoles.permissions(actor, userId);
  }
}
