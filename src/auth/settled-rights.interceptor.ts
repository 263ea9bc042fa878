import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { from, lastValueFrom, type Observable } from 'rxjs';
import { assertMayUse, type RecallableRequest } from '../access/access.guard';
import { ACCESS, type GuardedAccess } from '../access/can.decorator';
import { accompanyingCheck } from '../database/abandonment';
import type { AccompanyingCheck } from '../database/accompanying-check';

/**
 * Lets nothing out that was done for a caller who was known from before, neither an answer nor an error, until it is settled that
 * all is so still. If it is not, the caller is asked for anew and the route runs once more. It stands next to the route: what
 * wraps it sees settled answers only.
 */
@Injectable()
export class SettledRightsInterceptor implements NestInterceptor {
  constructor(private readonly reflector: Reflector) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const check = accompanyingCheck();
    return check ? from(this.settled(check, context, next)) : next.handle();
  }

  private async settled(check: AccompanyingCheck, context: ExecutionContext, next: CallHandler): Promise<unknown> {
    const [outcome] = await Promise.allSettled([lastValueFrom(next.handle(), { defaultValue: undefined })]);
    if (check.isOpen) await check.settleNow().catch(unlessOutdated(check));
    if (check.hasFailed) return this.runAgain(context, next);
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  }

  private async runAgain(context: ExecutionContext, next: CallHandler): Promise<unknown> {
    const request = context.switchToHttp().getRequest<RecallableRequest>();
    await request.reload!();
    assertMayUse(request.user, this.reflector.get<GuardedAccess>(ACCESS, context.getHandler()));
    return lastValueFrom(next.handle(), { defaultValue: undefined });
  }
}

const unlessOutdated =
  (check: AccompanyingCheck) =>
  (error: unknown): void => {
    if (!check.hasFailed) throw error;
  };
