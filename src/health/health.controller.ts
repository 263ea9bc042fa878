import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Can, Public } from '../access/can.decorator';
import { ApiProblem } from '../http/api-problem.decorator';
import { HealthDetailDto, HealthStatusDto } from './health.dto';
import { HealthService } from './health.service';

const OK: HealthStatusDto = { status: 'ok' };

@Controller('health')
@ApiTags('health')
export class HealthController {
  constructor(private readonly health: HealthService) {}

  @Get('live')
  @ApiOperation({ operationId: 'readLiveness', summary: 'Does the process answer?' })
  @Public()
  @ApiOkResponse({ type: HealthStatusDto, description: 'The process answers. It never asks the database.' })
  live(): HealthStatusDto {
    return OK;
  }

  @Get('ready')
  @ApiOperation({ operationId: 'readReadiness', summary: 'Can requests be served?' })
  @Public()
  @ApiOkResponse({ type: HealthStatusDto, description: 'Requests can be served.' })
  @ApiProblem('not_ready', 'shutting_down')
  ready(): Promise<HealthStatusDto> {
    return this.health.assertReady().then(() => OK);
  }

  @Get('startup')
  @ApiOperation({ operationId: 'readStartup', summary: 'Has the application started?' })
  @Public()
  @ApiOkResponse({ type: HealthStatusDto, description: 'The application has started.' })
  @ApiProblem('not_ready', 'shutting_down')
  startup(): Promise<HealthStatusDto> {
    return this.health.assertStarted().then(() => OK);
  }

  @Get()
  @ApiOperation({ operationId: 'readHealth', summary: 'Read every check with what it found' })
  @Can('read-health', 'Platform')
  @ApiOkResponse({ type: HealthDetailDto, description: 'Every check with what it found.' })
  async detail(): Promise<HealthDetailDto> {
    const { status, details } = await this.health.detail();
    return { status, details };
  }
}
