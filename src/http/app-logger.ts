import { ConsoleLogger } from '@nestjs/common';
import type { Env } from '../config/env';

const LEVELS = ['error', 'warn', 'log', 'debug'] as const;
/** What Nest tells of its own start: dozens of lines that nobody reads twice. */
const FRAMEWORK_CONTEXTS = new Set([
  'InstanceLoader',
  'NestApplication',
  'NestFactory',
  'RouterExplorer',
  'RoutesResolver',
]);

/** JSON lines in production, readable ones elsewhere; LOG_LEVEL and what is above it. */
export class AppLogger extends ConsoleLogger {
  constructor(env: Pick<Env, 'NODE_ENV' | 'LOG_LEVEL'>) {
    super({ json: env.NODE_ENV === 'production', logLevels: LEVELS.slice(0, LEVELS.indexOf(env.LOG_LEVEL) + 1) });
  }

  override log(message: unknown, ...rest: unknown[]): void {
    if (FRAMEWORK_CONTEXTS.has(String(rest.at(-1)))) return;
    super.log(message, ...rest);
  }
}
