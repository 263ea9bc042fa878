import { Body, Controller, Get, HttpCode, Post, Query } from '@nestjs/common';
import { ApiAcceptedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Caller } from '../../access/actor';
import { Can } from '../../access/can.decorator';
import { CurrentCaller } from '../../access/current-actor.decorator';
import type { Page } from '../../common/page.dto';
import { ApiPage } from '../../http/api-page.decorator';
import { ApiProblem } from '../../http/api-problem.decorator';
import { IdParam } from '../../http/id-param.decorator';
import { Idempotent } from '../../http/idempotent.decorator';
import {
  CreateTenantRestoreDto,
  ListTenantRestoresQuery,
  TenantRestoreDto,
  UndoTenantRestoreDto,
} from './tenant-restore.dto';
import { TenantRestoresService } from './tenant-restores.service';

@Controller('v1/platform/tenant-restores')
@ApiTags('platform')
export class TenantRestoresController {
  constructor(private readonly restores: TenantRestoresService) {}

  @Get()
  @ApiOperation({ operationId: 'listTenantRestores', summary: 'List the restores of single tenants' })
  @Can('read-tenant-restores', 'Platform')
  @ApiPage(TenantRestoreDto)
  list(@Query() query: ListTenantRestoresQuery): Promise<Page<TenantRestoreDto>> {
    return this.restores.list(query);
  }

  @Post()
  @Idempotent()
  @ApiOperation({
    operationId: 'createTenantRestore',
    summary: 'Begin to restore one tenant to a moment, while all others go on',
  })
  @Can('restore-tenant-data', 'Platform')
  @HttpCode(202)
  @ApiAcceptedResponse({ type: TenantRestoreDto })
  @ApiProblem('not_found', 'backups_not_configured', 'tenant_restore_running', 'backups_unavailable')
  create(@CurrentCaller() caller: Caller, @Body() input: CreateTenantRestoreDto): Promise<TenantRestoreDto> {
    return this.restores.create(caller, input);
  }

  @Get(':restoreId')
  @ApiOperation({ operationId: 'readTenantRestore', summary: 'Read how a restore of a tenant goes, or went' })
  @Can('read-tenant-restores', 'Platform')
  @ApiOkResponse({ type: TenantRestoreDto })
  read(@IdParam('restoreId') id: string): Promise<TenantRestoreDto> {
    return this.restores.read(id);
  }

  @Post(':restoreId/undo')
  @Idempotent()
  @ApiOperation({ operationId: 'undoTenantRestore', summary: 'Take a restore in place back' })
  @Can('restore-tenant-data', 'Platform')
  @HttpCode(200)
  @ApiOkResponse({ type: TenantRestoreDto })
  @ApiProblem('restore_not_undoable', 'restore_written_since', 'backups_not_configured', 'backups_unavailable')
  undo(
    @CurrentCaller() caller: Caller,
    @IdParam('restoreId') id: string,
    @Body() input: UndoTenantRestoreDto,
  ): Promise<TenantRestoreDto> {
    return this.restores.undo(caller, id, input.force ?? false);
  }
}
