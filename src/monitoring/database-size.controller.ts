import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Can } from '../access/can.decorator';
import { ApiProblem } from '../http/api-problem.decorator';
import { DatabaseSizeDto } from './database-size.dto';
import { DatabaseSizeService } from './database-size.service';
import { toDatabaseSizeDto } from './to-database-size-dto';

@Controller('v1/platform/database/size')
@ApiTags('platform')
export class DatabaseSizeController {
  constructor(private readonly size: DatabaseSizeService) {}

  @Get()
  @ApiOperation({ operationId: 'readDatabaseSize', summary: 'Read how large the database is and how fast it grows' })
  @Can('read-database', 'Platform')
  @ApiOkResponse({ type: DatabaseSizeDto, description: 'Sizes and growth of the database, its tables and tenants.' })
  @ApiProblem('statistics_unavailable')
  async read(): Promise<DatabaseSizeDto> {
    return toDatabaseSizeDto(await this.size.read());
  }
}
