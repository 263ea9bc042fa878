import { Module } from '@nestjs/common';
import { AccessTokensService } from './access-tokens.service';
import { AccountTenantsRepository } from './account-tenants.repository';
import { AccountsController } from './accounts.controller';
import { AccountsRepository } from './accounts.repository';
import { AccountsService } from './accounts.service';
import { AuthCleanup } from './auth-cleanup';
import { AuthCleanupRepository } from './auth-cleanup.repository';
import { AuthController } from './auth.controller';
import { AuthService } from './auth.service';
import { BootstrapAdministrator } from './bootstrap-administrator';
import { JwtStrategy } from './jwt.strategy';
import { LocalStrategy } from './local.strategy';
import { OwnPasswordService } from './own-password.service';
import { RefreshTokensRepository } from './refresh-tokens.repository';
import { SessionsController } from './sessions.controller';
import { SessionsRepository } from './sessions.repository';
import { SessionsService } from './sessions.service';
import { SignInAttemptsRepository } from './sign-in-attempts.repository';
import { SignInLimits } from './sign-in-limits';
import { SignInService } from './sign-in.service';
import { SigningKeysController } from './signing-keys.controller';
import { SigningKeysRepository } from './signing-keys.repository';
import { SigningKeysService } from './signing-keys.service';

/** Signing in, sessions and tokens, and the accounts above tenants. */
@Module({
  controllers: [AuthController, SessionsController, SigningKeysController, AccountsController],
  providers: [
    AccessTokensService,
    AccountTenantsRepository,
    AccountsRepository,
    AccountsService,
    AuthCleanup,
    AuthCleanupRepository,
    AuthService,
    BootstrapAdministrator,
    JwtStrategy,
    LocalStrategy,
    OwnPasswordService,
    RefreshTokensRepository,
    SessionsRepository,
    SessionsService,
    SignInAttemptsRepository,
    SignInLimits,
    SignInService,
    SigningKeysRepository,
    SigningKeysService,
  ],
  exports: [BootstrapAdministrator, JwtStrategy, SignInLimits, SigningKeysService],
})
export class AuthModule {}
