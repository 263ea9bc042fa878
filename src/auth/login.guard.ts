import { type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { AuthGuard } from '@nestjs/passport';
import { UnauthenticatedError } from '../common/errors';
import { InputPipe } from '../http/validation.pipe';
import { LoginDto } from './auth.dto';
import { LocalStrategy } from './local.strategy';

/** Proves e-mail address and password. */
@Injectable()
export class LoginGuard extends AuthGuard() {
  private readonly validation = new InputPipe();

  // Written out: the parent declares another first parameter, and Nest would inject that one.
  constructor(@Inject(LocalStrategy) strategy: LocalStrategy) {
    super({ defaultStrategy: strategy.registeredAs });
  }

  /** Guards run before pipes, so the body is validated here: passport-local would take what it lacks from the query string. */
  override async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<{ body: unknown }>();
    request.body = await this.validation.transform(request.body, { type: 'body', metatype: LoginDto });
    return (await super.canActivate(context)) as boolean;
  }

  override handleRequest<User>(error: Error | null, user: User | false | null): User {
    if (error) throw error;
    if (!user) throw new UnauthenticatedError();
    return user;
  }
}
