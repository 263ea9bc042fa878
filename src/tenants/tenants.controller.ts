import { Body, Controller, Delete, Get, HttpCode, Patch, Post, Query } from '@nestjs/common';
import { ApiConsumes, ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { Actor, Caller } from '../access/actor';
import { Can } from '../access/can.decorator';
import { CurrentActor, CurrentCaller } from '../access/current-actor.decorator';
import type { Page } from '../common/page.dto';
import { ApiPage } from '../http/api-page.decorator';
import { ApiTenantParam } from '../http/id-param.decorator';
import { IfMatch } from '../http/if-match.decorator';
import { CreateTenantDto, ListTenantsQuery, ReadTenantQuery, TenantDto, UpdateTenantDto } from './tenant.dto';
import { TenantsService } from './tenants.service';

@Controller('v1/tenants')
@ApiTags('tenants')
export class TenantsController {
  constructor(private readonly tenants: TenantsService) {}

  @Get()
  @Can('read', 'Membership')
  @ApiPage(TenantDto)
  list(@CurrentCaller() caller: Caller, @Query() query: ListTenantsQuery): Promise<Page<TenantDto>> {
    return this.tenants.list(caller, query);
  }

  @Post()
  @Can('create-tenant', 'Platform')
  @ApiCreatedResponse({ type: TenantDto })
  create(@CurrentCaller() caller: Caller, @Body() input: CreateTenantDto): Promise<TenantDto> {
    return this.tenants.create(caller, input);
  }

  @Get(':tenantId')
  @ApiTenantParam()
  @Can('read', 'Tenant')
  @ApiOkResponse({ type: TenantDto })
  read(@CurrentActor() actor: Actor, @Query() query: ReadTenantQuery): Promise<TenantDto> {
    return this.tenants.read(actor, query.fields);
  }

  @Patch(':tenantId')
  @ApiTenantParam()
  @Can('update', 'Tenant')
  @ApiConsumes('application/json', 'application/merge-patch+json')
  @ApiOkResponse({ type: TenantDto })
  update(
    @CurrentActor() actor: Actor,
    @IfMatch() version: number | undefined,
    @Body() input: UpdateTenantDto,
  ): Promise<TenantDto> {
    return this.tenants.update(actor, version, input);
  }

  @Delete(':tenantId')
  @ApiTenantParam()
  @Can('delete', 'Tenant')
  @HttpCode(204)
  @ApiNoContentResponse()
  delete(@CurrentActor() actor: Actor, @IfMatch() version: number | undefined): Promise<void> {
    return this.tenants.delete(actor, version);
  }

  @Post(':tenantId/suspend')
  @ApiTenantParam()
  @Can('suspend-tenant', 'Platform')
  @HttpCode(200)
  @ApiOkResponse({ type: TenantDto })
  suspend(@CurrentActor() actor: Actor, @IfMatch() version: number | undefined): Promise<TenantDto> {
    return this.tenants.suspend(actor, version);
  }

  @Post(':tenantId/resume')
  @ApiTenantParam()
  @Can('suspend-tenant', 'Platform')
  @HttpCode(200)
  @ApiOkResponse({ type: TenantDto })
  resume(@CurrentActor() actor: Actor, @IfMatch() version: number | undefined): Promise<TenantDto> {
    return this.tenants.resume(actor, version);
  }

  @Post(':tenantId/restore')
  @ApiTenantParam()
  @Can('restore-tenant', 'Platform')
  @HttpCode(200)
  @ApiOkResponse({ type: TenantDto })
  restore(@CurrentActor() actor: Actor, @IfMatch() version: number | undefined): Promise<TenantDto> {
    return this.tenants.restore(actor, version);
  }
}
