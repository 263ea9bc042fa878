import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Counter } from 'prom-client';
import { accessDenied } from '../access/access-denied';
import { signInAttempted } from '../auth/sign-in-attempted';
import { MetricsRegistry } from './metrics-registry';

/** Results that alerts watch; they stand there from the start. */
const WATCHED_RESULTS = ['success', 'invalid_credentials', 'account_disabled', 'too_many_attempts'];

/** Who got in, and who was refused. */
@Injectable()
export class AccessMetrics implements OnModuleInit, OnApplicationShutdown {
  private subscriptions: (() => void)[] = [];

  constructor(private readonly registry: MetricsRegistry) {}

  onModuleInit(): void {
    const attempts = new Counter({
      name: 'sign_in_attempts_total',
      help: 'Attempts to sign in with a password, by what came of them.',
      labelNames: ['result'],
      registers: [this.registry],
    });
    for (const result of WATCHED_RESULTS) attempts.inc({ result }, 0);
    const refusals = new Counter({
      name: 'access_denied_total',
      help: 'Requests refused for want of a permission.',
      labelNames: ['subject', 'action'],
      registers: [this.registry],
    });
    this.subscriptions = [
      signInAttempted.subscribe(({ result }) => attempts.inc({ result })),
      accessDenied.subscribe(({ subject, action }) => refusals.inc({ subject, action })),
    ];
  }

  onApplicationShutdown(): void {
    for (const end of this.subscriptions) end();
  }
}
