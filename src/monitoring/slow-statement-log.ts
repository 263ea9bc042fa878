import { Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Env } from '../config/env';
import { currentRequestId } from '../database/abandonment';
import { statementDone } from '../database/database-events';
import { describeStatement } from '../database/statement-text';

/** A line for each statement that took as long as SLOW_QUERY_MS: what it was, never a value in it. */
@Injectable()
export class SlowStatementLog implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger('SlowStatement');
  private unsubscribe: () => void = () => undefined;

  constructor(private readonly env: Env) {}

  onModuleInit(): void {
    const { SLOW_QUERY_MS: threshold } = this.env;
    if (threshold === 0) return;
    this.unsubscribe = statementDone.subscribe(({ pool, sql, seconds, sqlState }) => {
      const ms = seconds * 1000;
      if (ms < threshold) return;
      const { text, textFingerprint } = describeStatement(sql);
      this.logger.warn({
        msg: 'Slow statement',
        requestId: currentRequestId(),
        textFingerprint,
        durationMs: Math.round(ms),
        pool,
        outcome: sqlState || 'ok',
        text,
      });
    });
  }

  onApplicationShutdown(): void {
    this.unsubscribe();
  }
}
