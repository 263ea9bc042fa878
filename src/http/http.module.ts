import { Module } from '@nestjs/common';
import { APP_FILTER, APP_INTERCEPTOR } from '@nestjs/core';
import { IdempotencyInterceptor } from './idempotency.interceptor';
import { IdempotencyRepository } from './idempotency.repository';
import { KeyReleases } from './key-releases';
import { Lifecycle } from './lifecycle';
import { ProblemFilter } from './problem.filter';
import { ResponseHeadersInterceptor } from './response-headers.interceptor';

/** What wraps every route. The first interceptor is the outermost: a replayed answer gets its headers too. */
@Module({
  providers: [
    IdempotencyRepository,
    KeyReleases,
    Lifecycle,
    { provide: APP_FILTER, useClass: ProblemFilter },
    { provide: APP_INTERCEPTOR, useClass: ResponseHeadersInterceptor },
    { provide: APP_INTERCEPTOR, useClass: IdempotencyInterceptor },
  ],
  exports: [Lifecycle],
})
export class HttpModule {}
