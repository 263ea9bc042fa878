import { Body, Controller, Delete, Get, HttpCode, Put } from '@nestjs/common';
import { ApiNoContentResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { Actor } from '../access/actor';
import { Can } from '../access/can.decorator';
import { CurrentActor } from '../access/current-actor.decorator';
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
  @Can('read', 'Role')
  @ApiOkResponse({ type: UserRolesDto })
  list(@CurrentActor() actor: Actor, @IdParam('userId') userId: string): Promise<UserRolesDto> {
    return this.userRoles.list(actor, userId);
  }

  @Put('roles')
  @Can('assign', 'Role')
  @ApiOkResponse({ type: UserRolesDto })
  replace(
    @CurrentActor() actor: Actor,
    @IdParam('userId') userId: string,
    @IfMatch() version: number | undefined,
    @Body() input: ReplaceRolesDto,
  ): Promise<UserRolesDto> {
    return this.userRoles.replace(actor, userId, version, input);
  }

  @Put('roles/:roleId')
  @Can('assign', 'Role')
  @ApiOkResponse({ type: UserRolesDto })
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
  @Can('assign', 'Role')
  @HttpCode(204)
  @ApiNoContentResponse()
  unassign(
    @CurrentActor() actor: Actor,
    @IdParam('userId') userId: string,
    @IdParam('roleId') roleId: string,
    @IfMatch() version: number | undefined,
  ): Promise<void> {
    return this.userRoles.unassign(actor, userId, roleId, version);
  }

  @Get('permissions')
  @Can('read', 'Role')
  @ApiOkResponse({ type: EffectivePermissionsDto })
  permissions(@CurrentActor() actor: Actor, @IdParam('userId') userId: string): Promise<EffectivePermissionsDto> {
    return this.userRoles.permissions(actor, userId);
  }
}
