import { type CanActivate, type ExecutionContext, Injectable, NotFoundException } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { UnauthenticatedError } from '../common/errors';
import { Env } from '../config/env';
import { carriesToken } from './metrics-token';

/**
 * Who may read the metrics at the API's port: whoever has METRICS_TOKEN. No token set, or a port of their own: there is no
 * such route here, in development too, so that nobody forgets a door open on the way to production.
 */
@Injectable()
export class MetricsGuard implements CanActivate {
  constructor(private readonly env: Env) {}

  canActivate(context: ExecutionContext): boolean {
    const { METRICS_TOKEN, METRICS_PORT } = this.env;
    if (METRICS_TOKEN === undefined || METRICS_PORT !== undefined) throw new NotFoundException();
    const { headers } = context.switchToHttp().getRequest<FastifyRequest>();
    if (carriesToken(headers.authorization, METRICS_TOKEN)) return true;
    throw new UnauthenticatedError('unauthenticated', 'Send METRICS_TOKEN as a bearer token.');
  }
}
