import { Body, Controller, Delete, Get, HttpCode, Patch, Post, Query } from '@nestjs/common';
import {
  ApiConsumes,
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import type { Actor } from '../access/actor';
import { Can } from '../access/can.decorator';
import { CurrentActor } from '../access/current-actor.decorator';
import type { Page } from '../common/page.dto';
import { ApiPage } from '../http/api-page.decorator';
import { ApiProblem } from '../http/api-problem.decorator';
import { ApiTenantParam, IdParam } from '../http/id-param.decorator';
import { Idempotent } from '../http/idempotent.decorator';
import { IfMatch } from '../http/if-match.decorator';
import { CreateRoleDto, ListRolesQuery, ReadRoleQuery, RoleDto, UpdateRoleDto } from './role.dto';
import { RolesService } from './roles.service';

@Controller('v1/tenants/:tenantId/roles')
@ApiTags('roles')
@ApiTenantParam()
export class RolesController {
  constructor(private readonly roles: RolesService) {}

  @Get()
  @ApiOperation({ operationId: 'listRoles', summary: 'List the roles of a tenant' })
  @Can('read', 'Role')
  @ApiPage(RoleDto)
  list(@CurrentActor() actor: Actor, @Query() query: ListRolesQuery): Promise<Page<RoleDto>> {
    return this.roles.list(actor, query);
  }

  @Post()
  @Idempotent()
  @ApiOperation({ operationId: 'createRole', summary: 'Create a role' })
  @Can('create', 'Role')
  @ApiCreatedResponse({ type: RoleDto })
  @ApiProblem('permission_not_held', 'role_name_taken')
  create(@CurrentActor() actor: Actor, @Body() input: CreateRoleDto): Promise<RoleDto> {
    return this.roles.create(actor, input);
  }

  @Get(':roleId')
  @ApiOperation({ operationId: 'readRole', summary: 'Read a role' })
  @Can('read', 'Role')
  @ApiOkResponse({ type: RoleDto })
  read(@CurrentActor() actor: Actor, @IdParam('roleId') id: string, @Query() query: ReadRoleQuery): Promise<RoleDto> {
    return this.roles.read(actor, id, query.fields);
  }

  @Patch(':roleId')
  @ApiOperation({ operationId: 'updateRole', summary: 'Change a role' })
  @Can('update', 'Role')
  @ApiConsumes('application/json', 'application/merge-patch+json')
  @ApiOkResponse({ type: RoleDto })
  @ApiProblem('permission_not_held', 'field_not_permitted', 'system_role', 'role_name_taken')
  update(
    @CurrentActor() actor: Actor,
    @IdParam('roleId') id: string,
    @IfMatch({ required: true }) version: number | undefined,
    @Body() input: UpdateRoleDto,
  ): Promise<RoleDto> {
    return this.roles.update(actor, id, version, input);
  }

  @Delete(':roleId')
  @ApiOperation({ operationId: 'deleteRole', summary: 'Delete a role that nobody holds' })
  @Can('delete', 'Role')
  @HttpCode(204)
  @ApiNoContentResponse()
  @ApiProblem('permission_not_held', 'system_role', 'role_in_use')
  delete(
    @CurrentActor() actor: Actor,
    @IdParam('roleId') id: string,
    @IfMatch({ required: true }) version: number | undefined,
  ): Promise<void> {
    return this.roles.delete(actor, id, version);
  }
}
