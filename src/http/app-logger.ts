import { hostname } from 'node:os';
import { Logger as NestPinoLogger, PinoLogger } from 'nestjs-pino';
import pino from 'pino';
import type { Env } from '../config/env';
import { readPostgresUrl } from '../common/postgres-url';
import { POSTGRES_URLS, SECRET_VARIABLES } from '../config/secret-variables';
import { redacted } from './log-redaction';

/** Ours are Nest's names; pino calls `log` `info`. */
const PINO_LEVELS = { error: 'error', warn: 'warn', log: 'info', debug: 'debug' } as const;
/** What Nest tells of its own start: dozens of lines that nobody reads twice. */
const FRAMEWORK_CONTEXTS = new Set([
  'InstanceLoader',
  'NestApplication',
  'NestFactory',
  'RouterExplorer',
  'RoutesResolver',
]);
/** What is shorter hides nothing, and would tear holes into words. */
const SHORTEST_SECRET = 6;
const STDOUT = 1;
/** So many bytes at a time reach a pipe in one piece (POSIX; Linux): the lines of several workers do not run into each other. */
const PIPE_BUF = 4_096;
/** When nobody takes the lines from us, so many characters wait; what comes then is dropped rather than kept for ever. */
const MAX_WAITING_LENGTH = 16 * 1024 * 1024;

export interface AppLoggerOptions {
  /** Adds `trace_id` and `span_id` to each line (src/tracing). */
  traceIds?: () => Record<string, string>;
  /** Where the lines go; standard output unless given. */
  destination?: pino.DestinationStream;
}

/** nestjs-pino's takes the first logger of a process for all; this one has its own. */
class OwnPinoLogger extends PinoLogger {
  constructor(private readonly own: pino.Logger) {
    super({ pinoHttp: { logger: own } });
  }

  override get logger(): pino.Logger {
    return this.own;
  }
}

/**
 * The log of Nest and of everybody's `new Logger('Context')`, by nestjs-pino: JSON lines in production, readable ones
 * elsewhere; LOG_LEVEL and what is above it; without secrets (log-redaction.ts). Its middleware is left out: it costs as much as
 * request-log.ts, writes the URL and all headers, and knows neither the route nor the caller nor what the router refuses.
 */
export class AppLogger extends NestPinoLogger {
  constructor(env: Pick<Env, 'NODE_ENV' | 'LOG_LEVEL'> & Partial<Env>, options: AppLoggerOptions = {}) {
    super(new OwnPinoLogger(createPino(env, options)), {});
  }

  override log(message: unknown, ...rest: unknown[]): void {
    if (FRAMEWORK_CONTEXTS.has(String(rest.at(-1)))) return;
    super.log(message, ...rest);
  }
}

function createPino(
  env: Pick<Env, 'NODE_ENV' | 'LOG_LEVEL'> & Partial<Env>,
  { traceIds, destination }: AppLoggerOptions,
): pino.Logger {
  const known = secretsOfConfiguration(env);
  const options: pino.LoggerOptions = {
    level: PINO_LEVELS[env.LOG_LEVEL],
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: (error: unknown) => error }, // pino's own would tell all that hangs on an error
    formatters: { level: (level) => ({ level }) },
    ...(env.workerNumber !== undefined && {
      base: { pid: process.pid, hostname: hostname(), worker: env.workerNumber },
    }),
    hooks: {
      // Before pino sees them: it takes the message of an error for the line's.
      logMethod(parts, write) {
        write.apply(this, parts.map((part: unknown) => redacted(part, known)) as typeof parts);
      },
    },
    ...(traceIds && { mixin: traceIds }),
  };
  return pino(
    options,
    env.NODE_ENV === 'production'
      ? (destination ?? jsonOutput(env.workerNumber !== undefined))
      : readableOutput(destination),
  );
}

/** Written in the background, in order; what still waits when the process ends is written then (pino sees to it, at `exit`). */
function jsonOutput(isOneOfSeveral: boolean): pino.DestinationStream {
  return pino.destination({
    dest: STDOUT,
    sync: false,
    maxLength: MAX_WAITING_LENGTH,
    ...(isOneOfSeveral && { maxWrite: PIPE_BUF }),
  });
}

/** For people at a terminal: written at once, so that lines stand between those of the start and in order. */
function readableOutput(
  destination: pino.DestinationStream = pino.destination({ dest: STDOUT, sync: true }),
): pino.DestinationStream {
  // oxlint-disable-next-line typescript/no-require-imports -- loaded only where people read the lines
  const { prettyFactory } = require('pino-pretty') as typeof import('pino-pretty');
  const format = prettyFactory({
    colorize: process.stdout.isTTY,
    ignore: 'pid,hostname,worker,context',
    messageFormat: '{if worker}worker {worker}: {end}{if context}[{context}] {end}{msg}',
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
  });
  return { write: (line) => destination.write(format(line)) };
}

/** The values that no line may have, whatever their form; the longest first, as a URL holds its password. */
function secretsOfConfiguration(env: Partial<Env>): string[] {
  const values: Partial<Record<string, unknown>> = { ...env };
  const secrets = SECRET_VARIABLES.map((name) => values[name]);
  const passwords = POSTGRES_URLS.map((name) => readPostgresUrl(String(values[name]))?.password);
  return [...secrets, ...passwords]
    .filter((value): value is string => typeof value === 'string' && value.length >= SHORTEST_SECRET)
    .toSorted((a, b) => b.length - a.length);
}
