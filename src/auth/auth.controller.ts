import { Body, Controller, Get, HttpCode, Post, Put, UseGuards } from '@nestjs/common';
import { ApiBody, ApiNoContentResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { Caller, Origin } from '../access/actor';
import { Can, Public } from '../access/can.decorator';
import { CurrentCaller } from '../access/current-actor.decorator';
import { ApiProblem } from '../http/api-problem.decorator';
import { ChangePasswordDto, LoginDto, MeDto, RefreshDto, TokensDto } from './auth.dto';
import { AuthService } from './auth.service';
import { LoginGuard } from './login.guard';
import { OwnPasswordService } from './own-password.service';
import { RequestOrigin } from './request-origin.decorator';
import type { VerifiedPerson } from './sign-in.service';
import { CurrentVerifiedPerson } from './verified-person.decorator';

@Controller('v1/auth')
@ApiTags('auth')
export class AuthController {
  constructor(
    private readonly auth: AuthService,
    private readonly ownPassword: OwnPasswordService,
  ) {}

  @Post('login')
  @Public()
  @UseGuards(LoginGuard)
  @HttpCode(200)
  @ApiBody({ type: LoginDto })
  @ApiOkResponse({ type: TokensDto })
  @ApiProblem(401, '`invalid_credentials`: the same answer to a wrong password and to an unknown e-mail address.')
  @ApiProblem(403, '`account_disabled`.')
  @ApiProblem(429, '`too_many_attempts`: after `Retry-After`.')
  login(@CurrentVerifiedPerson() person: VerifiedPerson, @RequestOrigin() origin: Origin): Promise<TokensDto> {
    return this.auth.signIn(person, origin);
  }

  @Post('refresh')
  @Public()
  @HttpCode(200)
  @ApiOkResponse({ type: TokensDto })
  @ApiProblem(401, '`invalid_refresh_token`, `session_ended`, or `refresh_token_reused`, which ends the session.')
  refresh(@Body() input: RefreshDto, @RequestOrigin() origin: Origin): Promise<TokensDto> {
    return this.auth.refresh(input.refreshToken, origin);
  }

  @Post('logout')
  @Can('delete', 'Session')
  @HttpCode(204)
  @ApiNoContentResponse({ description: 'The session has ended; both its tokens are dead.' })
  logout(@CurrentCaller() caller: Caller): Promise<void> {
    return this.auth.signOut(caller);
  }

  @Get('me')
  @Can('read', 'Account')
  @ApiOkResponse({ type: MeDto })
  me(@CurrentCaller() caller: Caller): Promise<MeDto> {
    return this.auth.me(caller);
  }

  @Put('password')
  @Can('update', 'Account')
  @HttpCode(204)
  @ApiNoContentResponse({ description: 'Changed; all other sessions have ended.' })
  @ApiProblem(429, '`too_many_attempts`: the current password was wrong too often.')
  changePassword(@CurrentCaller() caller: Caller, @Body() input: ChangePasswordDto): Promise<void> {
    return this.ownPassword.change(caller, input);
  }
}
