import { Body, Controller, Delete, Get, HttpCode, Patch, Post, Query } from '@nestjs/common';
import {
  ApiConsumes,
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import type { Actor, Caller } from '../access/actor';
import { Can } from '../access/can.decorator';
import { CurrentActor, CurrentCaller } from '../access/current-actor.decorator';
import type { Page } from '../common/page.dto';
import { ApiPage } from '../http/api-page.decorator';
import { ApiProblem } from '../http/api-problem.decorator';
import { ApiTenantParam } from '../http/id-param.decorator';
import { Idempotent } from '../http/idempotent.decorator';
import { IfMatch } from '../http/if-match.decorator';
import { CreateTenantDto, ListTenantsQuery, ReadTenantQuery, TenantDto, UpdateTenantDto } from './tenant.dto';
import { TenantsService } from './tenants.service';

@Controller('v1/tenants')
@ApiTags('tenants')
export class TenantsController {
  constructor(private readonly tenants: TenantsService) {}

  @Get()
  @ApiOperation({
    operationId: 'listTenants',
    summary: 'List the tenants that one is in; a platform administrator sees all',
  })
  @Can('read', 'Membership')
  @ApiPage(TenantDto)
  list(@CurrentCaller() caller: Caller, @Query() query: ListTenantsQuery): Promise<Page<TenantDto>> {
    return this.tenants.list(caller, query);
  }

  @Post()
  @Idempotent()
  @ApiOperation({ operationId: 'createTenant', summary: 'Create a tenant with its system roles and its first owner' })
  @Can('create-tenant', 'Platform')
  @ApiCreatedResponse({ type: TenantDto })
  @ApiProblem('slug_taken', 'account_exists')
  create(@CurrentCaller() caller: Caller, @Body() input: CreateTenantDto): Promise<TenantDto> {
    return this.tenants.create(caller, input);
  }

  @Get(':tenantId')
  @ApiOperation({ operationId: 'readTenant', summary: 'Read a tenant' })
  @ApiTenantParam()
  @Can('read', 'Tenant')
  @ApiOkResponse({ type: TenantDto })
  read(@CurrentActor() actor: Actor, @Query() query: ReadTenantQuery): Promise<TenantDto> {
    return this.tenants.read(actor, query.fields);
  }

  @Patch(':tenantId')
  @ApiOperation({ operationId: 'updateTenant', summary: 'Change the name or the slug of a tenant' })
  @ApiTenantParam()
  @Can('update', 'Tenant')
  @ApiConsumes('application/json', 'application/merge-patch+json')
  @ApiOkResponse({ type: TenantDto })
  @ApiProblem('field_not_permitted', 'slug_taken')
  update(
    @CurrentActor() actor: Actor,
    @IfMatch() version: number | undefined,
    @Body() input: UpdateTenantDto,
  ): Promise<TenantDto> {
    return this.tenants.update(actor, version, input);
  }

  @Delete(':tenantId')
  @ApiOperation({ operationId: 'deleteTenant', summary: 'Delete a tenant; for a time it can be restored' })
  @ApiTenantParam()
  @Can('delete', 'Tenant')
  @HttpCode(204)
  @ApiNoContentResponse()
  delete(@CurrentActor() actor: Actor, @IfMatch() version: number | undefined): Promise<void> {
    return this.tenants.delete(actor, version);
  }

  @Post(':tenantId/suspend')
  @Idempotent()
  @ApiOperation({ operationId: 'suspendTenant', summary: 'Refuse all users of a tenant from the next request on' })
  @ApiTenantParam()
  @Can('suspend-tenant', 'Platform')
  @HttpCode(200)
  @ApiOkResponse({ type: TenantDto })
  suspend(@CurrentActor() actor: Actor, @IfMatch() version: number | undefined): Promise<TenantDto> {
    return this.tenants.suspend(actor, version);
  }

  @Post(':tenantId/resume')
  @Idempotent()
  @ApiOperation({ operationId: 'resumeTenant', summary: 'End the suspension of a tenant' })
  @ApiTenantParam()
  @Can('suspend-tenant', 'Platform')
  @HttpCode(200)
  @ApiOkResponse({ type: TenantDto })
  resume(@CurrentActor() actor: Actor, @IfMatch() version: number | undefined): Promise<TenantDto> {
    return this.tenants.resume(actor, version);
  }

  @Post(':tenantId/restore')
  @Idempotent()
  @ApiOperation({ operationId: 'restoreTenant', summary: 'Take back the deletion of a tenant' })
  @ApiTenantParam()
  @Can('restore-tenant', 'Platform')
  @HttpCode(200)
  @ApiOkResponse({ type: TenantDto })
  restore(@CurrentActor() actor: Actor, @IfMatch() version: number | undefined): Promise<TenantDto> {
    return this.tenants.restore(actor, version);
  }
}
