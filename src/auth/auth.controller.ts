import { Body, Controller, Get, HttpCode, Post, Put, UseGuards } from '@nestjs/common';
import { ApiBody, ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Caller, Origin } from '../access/actor';
import { Can, Public } from '../access/can.decorator';
import { CurrentCaller } from '../access/current-actor.decorator';
import { ApiProblem } from '../http/api-problem.decorator';
import { Idempotent } from '../http/idempotent.decorator';
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
  @Idempotent()
  @ApiOperation({ operationId: 'login', summary: 'Sign in with e-mail address and password' })
  @Public()
  @UseGuards(LoginGuard)
  @HttpCode(200)
  @ApiBody({ type: LoginDto })
  @ApiOkResponse({ type: TokensDto })
  @ApiProblem('invalid_credentials', 'account_disabled', 'too_many_attempts')
  login(@CurrentVerifiedPerson() person: VerifiedPerson, @RequestOrigin() origin: Origin): Promise<TokensDto> {
    return this.auth.signIn(person, origin);
  }

  @Post('refresh')
  @Idempotent()
  @ApiOperation({ operationId: 'refreshTokens', summary: 'Exchange a refresh token for new tokens' })
  @Public()
  @HttpCode(200)
  @ApiOkResponse({ type: TokensDto })
  @ApiProblem('invalid_refresh_token', 'session_ended', 'refresh_token_reused')
  refresh(@Body() input: RefreshDto, @RequestOrigin() origin: Origin): Promise<TokensDto> {
    return this.auth.refresh(input.refreshToken, origin);
  }

  @Post('logout')
  @Idempotent()
  @ApiOperation({ operationId: 'logout', summary: 'Sign out: end the session that asks' })
  @Can('delete', 'Session')
  @HttpCode(204)
  @ApiNoContentResponse({ description: 'The session has ended; both its tokens are dead.' })
  logout(@CurrentCaller() caller: Caller): Promise<void> {
    return this.auth.signOut(caller);
  }

  @Get('me')
  @ApiOperation({ operationId: 'readOwnAccount', summary: 'Read who one is and which tenants one is in' })
  @Can('read', 'Account')
  @ApiOkResponse({ type: MeDto })
  me(@CurrentCaller() caller: Caller): Promise<MeDto> {
    return this.auth.me(caller);
  }

  @Put('password')
  @ApiOperation({ operationId: 'changeOwnPassword', summary: 'Change the own password' })
  @Can('update', 'Account')
  @HttpCode(204)
  @ApiNoContentResponse({ description: 'Changed; all other sessions have ended.' })
  @ApiProblem('password_changed', 'weak_password', 'wrong_password', 'too_many_attempts')
  changePassword(@CurrentCaller() caller: Caller, @Body() input: ChangePasswordDto): Promise<void> {
    return this.ownPassword.change(caller, input);
  }
}
