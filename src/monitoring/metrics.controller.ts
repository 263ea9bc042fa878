import { Controller, Get, Header, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Public } from '../access/can.decorator';
import { ApiProblem } from '../http/api-problem.decorator';
import { MetricsGuard } from './metrics.guard';
import { METRICS_CONTENT_TYPE, MetricsService } from './metrics.service';

@Controller('metrics')
@ApiTags('health')
export class MetricsController {
  constructor(private readonly metrics: MetricsService) {}

  @Get()
  @ApiOperation({ operationId: 'readMetrics', summary: 'Read the metrics, for Prometheus, with METRICS_TOKEN' })
  @Public()
  @UseGuards(MetricsGuard)
  @Header('content-type', METRICS_CONTENT_TYPE)
  @ApiBearerAuth('metrics')
  @ApiOkResponse({
    description: 'Every metric of docs/monitoring.md.',
    content: { 'text/plain': { schema: { type: 'string', example: 'pg_up 1\n' } } },
  })
  @ApiProblem('unauthenticated', 'route_not_found')
  read(): Promise<string> {
    return this.metrics.read();
  }
}
