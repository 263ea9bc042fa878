import { type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AuthGuard } from '@nestjs/passport';
import jwt from 'jsonwebtoken';
import { ACCESS, type RouteAccess } from '../access/can.decorator';
import { DomainError, UnauthenticatedError } from '../common/errors';
import { type BearerRequest, JwtStrategy } from './jwt.strategy';

/** Who asks? On every route that is not public, before AccessGuard asks what they may. */
@Injectable()
export class AuthenticationGuard extends AuthGuard() {
  constructor(
    // Written out: the parent declares another first parameter, and Nest would inject that one.
    @Inject(JwtStrategy) private readonly strategy: JwtStrategy,
    private readonly reflector: Reflector,
  ) {
    super({ defaultStrategy: strategy.registeredAs });
  }

  override canActivate(
    context: ExecutionContext,
  ): ReturnType<InstanceType<ReturnType<typeof AuthGuard>>['canActivate']> {
    const access = this.reflector.get<RouteAccess | undefined>(ACCESS, context.getHandler());
    if (access?.public === true) return true;
    const request = context.switchToHttp().getRequest<BearerRequest>();
    const recalled = this.strategy.recall(request);
    if (!recalled) return super.canActivate(context);
    request.user = recalled;
    return true;
  }

  /**
   * @param error what ActorsService threw: passed on as it is
   * @param info why the token itself was refused
   */
  override handleRequest<User>(error: Error | null, user: User | false | null, info: unknown): User {
    if (error) throw error;
    if (user) return user;
    throw refusalOf(info);
  }
}

function refusalOf(info: unknown): Error {
  if (info instanceof DomainError) return info;
  if (info instanceof jwt.TokenExpiredError) {
    return new UnauthenticatedError('token_expired', 'This access token has expired. Refresh it.');
  }
  if (info instanceof jwt.JsonWebTokenError)
    return new UnauthenticatedError('invalid_token', 'This access token is not valid.');
  return new UnauthenticatedError();
}
