import { Controller, Get, Header } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Public } from '../access/can.decorator';
import { JwksDto } from './signing-key.dto';
import { SigningKeysService } from './signing-keys.service';

@Controller('.well-known')
@ApiTags('auth')
export class SigningKeysController {
  constructor(private readonly keys: SigningKeysService) {}

  /** Cacheable for less time than a new key goes unused nowhere: who meets an unknown `kid` fetches again (RFC 7517). */
  @Get('jwks.json')
  @ApiOperation({ operationId: 'listSigningKeys', summary: 'List the public keys that verify access tokens' })
  @Public()
  @Header('Cache-Control', 'public, max-age=300')
  @ApiOkResponse({ type: JwksDto })
  async list(): Promise<JwksDto> {
    return { keys: [...(await this.keys.publicKeys())] };
  }

  /** Not those of jwks.json alone: a receipt outlives its key, which is replaced after 90 days. */
  @Get('document-keys.json')
  @ApiOperation({
    operationId: 'listDocumentKeys',
    summary: 'List the public keys that verify receipts of erasures and archives of tenants',
  })
  @Public()
  @Header('Cache-Control', 'public, max-age=300')
  @ApiOkResponse({ type: JwksDto })
  async listForDocuments(): Promise<JwksDto> {
    return { keys: [...(await this.keys.documentKeys())] };
  }
}
