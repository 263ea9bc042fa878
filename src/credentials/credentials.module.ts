import { Global, Module } from '@nestjs/common';
import { PasswordsService } from './passwords.service';

/** Passwords: their policy and their hashes. */
@Global()
@Module({ providers: [PasswordsService], exports: [PasswordsService] })
export class CredentialsModule {}
