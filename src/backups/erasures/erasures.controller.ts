import { Body, Controller, Get, Post, Query } from '@nestjs/common';
import { ApiCreatedResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Caller } from '../../access/actor';
import { Can } from '../../access/can.decorator';
import { CurrentCaller } from '../../access/current-actor.decorator';
import type { Page } from '../../common/page.dto';
import { ApiPage } from '../../http/api-page.decorator';
import { ApiProblem } from '../../http/api-problem.decorator';
import { Idempotent } from '../../http/idempotent.decorator';
import { CreateErasureDto, ErasureDto, ListErasuresQuery } from './erasure.dto';
import { ErasuresService } from './erasures.service';

@Controller('v1/platform/erasures')
@ApiTags('platform')
export class ErasuresController {
  constructor(private readonly erasures: ErasuresService) {}

  @Get()
  @ApiOperation({ operationId: 'listErasures', summary: 'List the receipts of what was erased for good' })
  @Can('read-erasures', 'Platform')
  @ApiPage(ErasureDto)
  list(@Query() query: ListErasuresQuery): Promise<Page<ErasureDto>> {
    return this.erasures.list(query);
  }

  @Post()
  @Idempotent()
  @ApiOperation({
    operationId: 'createErasure',
    summary: 'Erase a tenant, or a person everywhere, at once and for good',
  })
  @Can('erase', 'Platform')
  @ApiCreatedResponse({ type: ErasureDto })
  @ApiProblem('not_found', 'last_owner', 'last_administrator', 'confirmation_mismatch')
  create(@CurrentCaller() caller: Caller, @Body() input: CreateErasureDto): Promise<ErasureDto> {
    return this.erasures.erase(caller, input);
  }
}
