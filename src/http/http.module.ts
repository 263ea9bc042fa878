import { Global, Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { IdempotencyRepository } from './idempotency.repository';
import { Lifecycle } from './lifecycle';
import { ProblemFilter } from './problem.filter';
import { ReservedKeys } from './reserved-keys';

/** What wraps every route, and what those wear that are `@Idempotent()`. */
@Global()
@Module({
  providers: [IdempotencyRepository, Lifecycle, ReservedKeys, { provide: APP_FILTER, useClass: ProblemFilter }],
  exports: [IdempotencyRepository, Lifecycle, ReservedKeys],
})
export class HttpModule {}
