import { Controller, Get, Header } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Public } from '../access/can.decorator';
import { JwksDto } from './signing-key.dto';
import { SigningKeysService } from './signing-keys.service';

@Controller('.well-known/jwks.json')
@ApiTags('auth')
export class SigningKeysController {
  constructor(private readonly keys: SigningKeysService) {}

  /** Cacheable for less time than a new key goes unused nowhere: who meets an unknown `kid` fetches again (RFC 7517). */
  @Get()
  @ApiOperation({ operationId: 'listSigningKeys', summary: 'List the public keys that verify access tokens' })
  @Public()
  @Header('Cache-Control', 'public, max-age=300')
  @ApiOkResponse({ type: JwksDto })
  async list(): Promise<JwksDto> {
    return { keys: [...(await this.keys.publicKeys())] };
  }
}
