import { ApiProperty } from '@nestjs/swagger';
import { Email, Secret } from '../common/validation';

/** Longer than any password that the policy lets through, in any script. */
const MAX_SECRET_LENGTH = 1_024;

export class LoginDto {
  @Email()
  email: string;

  @Secret({ maxLength: MAX_SECRET_LENGTH, example: 'violet lantern orbit' })
  password: string;
}

export class RefreshDto {
  @Secret({ maxLength: MAX_SECRET_LENGTH, example: 'rt_Vd0mOqKmSxb1lTLYFz0Dq1r0nX9u1l4Wc3u7b2b8XyA' })
  refreshToken: string;
}

export class ChangePasswordDto {
  @Secret({ maxLength: MAX_SECRET_LENGTH, example: 'violet lantern orbit' })
  currentPassword: string;

  @Secret({
    maxLength: MAX_SECRET_LENGTH,
    example: 'seven wet otters sing',
    description: '15 to 128 characters, hard to guess. No other rules.',
  })
  newPassword: string;
}

export class TokensDto {
  @ApiProperty({
    description: 'A JWT (RFC 9068), to send as a bearer token. Verify it with /.well-known/jwks.json.',
    example: 'eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiIuLi4ifQ.c2lnbmF0dXJl',
  })
  accessToken: string;

  @ApiProperty({
    description: 'Good for one use: it brings the next one.',
    example: 'rt_Vd0mOqKmSxb1lTLYFz0Dq1r0nX9u1l4Wc3u7b2b8XyA',
  })
  refreshToken: string;

  @ApiProperty({ enum: ['Bearer'] })
  tokenType: 'Bearer';

  @ApiProperty({ type: 'integer', description: 'Seconds until the access token expires.', example: 600 })
  expiresIn: number;
}

export class OwnTenantDto {
  @ApiProperty({ format: 'uuid', example: '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e01' })
  id: string;

  @ApiProperty({ example: 'acme' })
  slug: string;

  @ApiProperty({ example: 'Acme Industries' })
  name: string;

  @ApiProperty({
    format: 'uuid',
    description: "The person's id in this tenant.",
    example: '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e21',
  })
  userId: string;
}

export class MeDto {
  @ApiProperty({ format: 'uuid', description: 'The account.', example: '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e31' })
  id: string;

  @ApiProperty({ format: 'email', example: 'ada@example.com' })
  email: string;

  @ApiProperty({ example: 'Ada Lovelace' })
  name: string;

  @ApiProperty({ example: false })
  platformAdministrator: boolean;

  @ApiProperty({ type: [OwnTenantDto], description: 'By name, at most 100; GET /v1/tenants pages through all.' })
  tenants: OwnTenantDto[];
}
