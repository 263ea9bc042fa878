import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { Can } from '../access/can.decorator';
import { CatalogueDto, catalogue } from './permission-catalogue.dto';

@Controller('v1/permissions')
@ApiTags('roles')
export class PermissionsController {
  @Get()
  @Can('read', 'Permission')
  @ApiOkResponse({ type: CatalogueDto, description: 'Everything that a role can hold.' })
  list(): CatalogueDto {
    return catalogue();
  }
}
