import { Controller, Get, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { Can } from '../access/can.decorator';
import type { Page } from '../common/page.dto';
import { ApiPage } from '../http/api-page.decorator';
import { AuditEventDto, ListAuditEventsQuery } from './audit-event.dto';
import { AuditEventsService } from './audit-events.service';

@Controller('v1/platform/audit-events')
@ApiTags('platform')
export class PlatformAuditEventsController {
  constructor(private readonly events: AuditEventsService) {}

  @Get()
  @ApiOperation({ operationId: 'listPlatformAuditEvents', summary: "List the platform's own audit trail" })
  @Can('read-audit', 'Platform')
  @ApiPage(AuditEventDto)
  list(@Query() query: ListAuditEventsQuery): Promise<Page<AuditEventDto>> {
    return this.events.listForPlatform(query);
  }
}
