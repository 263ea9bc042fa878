import { Controller, Delete, Get, HttpCode, Query } from '@nestjs/common';
import { ApiNoContentResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Caller } from '../access/actor';
import { Can } from '../access/can.decorator';
import { CurrentCaller } from '../access/current-actor.decorator';
import type { Page } from '../common/page.dto';
import { ApiPage } from '../http/api-page.decorator';
import { IdParam } from '../http/id-param.decorator';
import { ListSessionsQuery, SessionDto } from './session.dto';
import { SessionsService } from './sessions.service';

@Controller('v1/auth/sessions')
@ApiTags('auth')
export class SessionsController {
  constructor(private readonly sessions: SessionsService) {}

  @Get()
  @ApiOperation({ operationId: 'listOwnSessions', summary: 'List the own sessions' })
  @Can('read', 'Session')
  @ApiPage(SessionDto)
  list(@CurrentCaller() caller: Caller, @Query() query: ListSessionsQuery): Promise<Page<SessionDto>> {
    return this.sessions.list(caller, query);
  }

  @Delete(':sessionId')
  @ApiOperation({ operationId: 'endOwnSession', summary: 'End one of the own sessions' })
  @Can('delete', 'Session')
  @HttpCode(204)
  @ApiNoContentResponse({ description: 'The session has ended.' })
  end(@CurrentCaller() caller: Caller, @IdParam('sessionId') id: string): Promise<void> {
    return this.sessions.end(caller, id);
  }
}
