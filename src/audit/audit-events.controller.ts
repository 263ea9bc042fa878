import { Controller, Get, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Actor } from '../access/actor';
import { Can } from '../access/can.decorator';
import { CurrentActor } from '../access/current-actor.decorator';
import type { Page } from '../common/page.dto';
import { ApiPage } from '../http/api-page.decorator';
import { ApiTenantParam } from '../http/id-param.decorator';
import { AuditEventDto, ListAuditEventsQuery } from './audit-event.dto';
import { AuditEventsService } from './audit-events.service';

@Controller('v1/tenants/:tenantId/audit-events')
@ApiTags('audit')
@ApiTenantParam()
export class AuditEventsController {
  constructor(private readonly events: AuditEventsService) {}

  @Get()
  @ApiOperation({ operationId: 'listAuditEvents', summary: 'List the audit trail of a tenant' })
  @Can('read', 'AuditEvent')
  @ApiPage(AuditEventDto)
  list(@CurrentActor() actor: Actor, @Query() query: ListAuditEventsQuery): Promise<Page<AuditEventDto>> {
    return this.events.list(actor, query);
  }
}
