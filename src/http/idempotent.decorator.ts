import { UseInterceptors } from '@nestjs/common';
import { IdempotencyInterceptor } from './idempotency.interceptor';

/** On every POST: an `Idempotency-Key` makes it safe to repeat. An interceptor for all routes would cost the others time. */
export const Idempotent = (): MethodDecorator => UseInterceptors(IdempotencyInterceptor);
