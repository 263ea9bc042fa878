import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import passport from 'passport';
import { Strategy } from 'passport-local';
import { originOf } from '../access/origin';
import { newId } from '../common/id';
import { SignInService, type VerifiedPerson } from './sign-in.service';

type LoginRequest = Parameters<typeof originOf>[0] & { headers: Record<string, unknown> };

/** Whose are this e-mail address and this password? */
@Injectable()
export class LocalStrategy extends PassportStrategy(Strategy) {
  /** As in JwtStrategy: Passport is one for the whole process. */
  readonly registeredAs = `local:${newId()}`;

  constructor(private readonly signIn: SignInService) {
    super({ usernameField: 'email', passwordField: 'password', passReqToCallback: true });
    passport.use(this.registeredAs, this);
  }

  async validate(request: LoginRequest, email: string, password: string): Promise<VerifiedPerson> {
    const person = await this.signIn.verify(email, password, originOf(request));
    // Answered from before (http/idempotency.interceptor.ts), it starts no session, with which the try is given back.
    if (request.headers['idempotency-key'] !== undefined) await person.attempt.giveBack();
    return person;
  }
}
