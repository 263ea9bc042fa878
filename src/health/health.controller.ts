import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { Can, Public } from '../access/can.decorator';
import { HealthDetailDto, HealthStatusDto } from './health.dto';
import { HealthService } from './health.service';

const OK: HealthStatusDto = { status: 'ok' };

@Controller('health')
@ApiTags('health')
export class HealthController {
  constructor(private readonly health: HealthService) {}

  @Get('live')
  @Public()
  @ApiOkResponse({ type: HealthStatusDto, description: 'The process answers. It never asks the database.' })
  live(): HealthStatusDto {
    return OK;
  }

  @Get('ready')
  @Public()
  @ApiOkResponse({ type: HealthStatusDto, description: 'Requests can be served.' })
  ready(): Promise<HealthStatusDto> {
    return this.health.assertReady().then(() => OK);
  }

  @Get('startup')
  @Public()
  @ApiOkResponse({ type: HealthStatusDto, description: 'The application has started.' })
  startup(): Promise<HealthStatusDto> {
    return this.health.assertStarted().then(() => OK);
  }

  @Get()
  @Can('read-health', 'Platform')
  @ApiOkResponse({ type: HealthDetailDto, description: 'Every check with what it found.' })
  async detail(): Promise<HealthDetailDto> {
    const { status, details } = await this.health.detail();
    return { status, details };
  }
}
