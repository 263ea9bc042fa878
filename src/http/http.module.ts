import { Module } from '@nestjs/common';
import { APP_FILTER, APP_INTERCEPTOR } from '@nestjs/core';
import { IdempotencyInterceptor } from './idempotency.interceptor';
import { IdempotencyRepository } from './idempotency.repository';
import { Lifecycle } from './lifecycle';
import { ProblemFilter } from './problem.filter';
import { ReservedKeys } from './reserved-keys';
import { ResponseHeadersInterceptor } from './response-headers.interceptor';

/** What wraps every route. The first interceptor is the outermost: a replayed answer gets its headers too. */
@Module({
  providers: [
    IdempotencyRepository,
    Lifecycle,
    ReservedKeys,
    { provide: APP_FILTER, useClass: ProblemFilter },
    { provide: APP_INTERCEPTOR, useClass: ResponseHeadersInterceptor },
    { provide: APP_INTERCEPTOR, useClass: IdempotencyInterceptor },
  ],
  exports: [Lifecycle],
})
export class HttpModule {}
