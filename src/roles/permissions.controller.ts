import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Can } from '../access/can.decorator';
import { CatalogueDto, catalogue } from './permission-catalogue.dto';

@Controller('v1/permissions')
@ApiTags('roles')
export class PermissionsController {
  @Get()
  @ApiOperation({ operationId: 'listPermissions', summary: 'List everything that a role can hold' })
  @Can('read', 'Permission')
  @ApiOkResponse({ type: CatalogueDto, description: 'Everything that a role can hold.' })
  list(): CatalogueDto {
    return catalogue();
  }
}
