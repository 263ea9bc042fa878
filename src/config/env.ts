import { plainToInstance } from 'class-transformer';
import {
  IsBase64,
  IsBoolean,
  IsEmail,
  IsIn,
  IsInt,
  IsNumber,
  IsOptional,
  IsString,
  Matches,
  Max,
  Min,
  MinLength,
  validateSync,
} from 'class-validator';
import { StartupError } from '../common/errors';
import { POSTGRES_URL_ADVICE, readPostgresUrl } from '../common/postgres-url';
import { POSTGRES_URLS, SECRET_VARIABLES, resolveSecrets } from './secret-variables';
import { toBoolean, toInt, toList, toNumber, toWorkers } from './variable-types';
import { readWorkerNumber } from './worker-number';

const OTLP_ENDPOINT = /^https?:\/\//;
const POSTGRES_URL = /^postgres(ql)?:\/\//;

/** Load balancers ask every second or two, and Kubernetes needs about as long to take an instance out of a service. */
const PRODUCTION_SHUTDOWN_DELAY_MS = 5_000;

/** Every variable that Tenantry reads, with its default. docs/operations.md explains them; `.env.example` lists them. */
export class Env {
  @IsIn(['development', 'test', 'production'])
  NODE_ENV: 'development' | 'test' | 'production' = 'development';

  @toInt
  @IsInt()
  @Min(0)
  @Max(65535)
  PORT = 3000;

  @IsString()
  HOST = '127.0.0.1';

  /** Processes that serve, of one port (docs/operations.md, "More than one process"). `auto`: one for each core. */
  @toWorkers
  @IsInt({ message: 'WORKERS must be a whole number, or auto' })
  @Min(1)
  @Max(64)
  WORKERS = 1;

  /** Which of several WORKERS this process is, from 1 on; undefined: it is none of several. No operator sets it: src/workers does. */
  workerNumber?: number | undefined;

  @IsIn(['error', 'warn', 'log', 'debug'])
  LOG_LEVEL: 'error' | 'warn' | 'log' | 'debug' = 'log';

  /** The app login. Unset: an embedded PostgreSQL starts in DATA_DIR. */
  @IsOptional()
  @Matches(POSTGRES_URL, { message: 'POSTGRES_URL must begin with postgresql://' })
  POSTGRES_URL?: string;

  /** The platform login. */
  @IsOptional()
  @Matches(POSTGRES_URL, { message: 'POSTGRES_PLATFORM_URL must begin with postgresql://' })
  POSTGRES_PLATFORM_URL?: string;

  /** The owner's login, for migrations only. */
  @IsOptional()
  @Matches(POSTGRES_URL, { message: 'POSTGRES_OWNER_URL must begin with postgresql://' })
  POSTGRES_OWNER_URL?: string;

  /** The app login on a standby, for reads that may be stale (docs/operations.md, "Failover"). */
  @IsOptional()
  @Matches(POSTGRES_URL, { message: 'POSTGRES_REPLICA_URL must begin with postgresql://' })
  POSTGRES_REPLICA_URL?: string;

  /** In production, connections in plain text to another machine are refused unless this is true. */
  @toBoolean
  @IsBoolean({ message: 'POSTGRES_ALLOW_PLAINTEXT must be true or false' })
  POSTGRES_ALLOW_PLAINTEXT = false;

  /** The monitor's login, for statistics of the server. Unset: what only it can see is left out. */
  @IsOptional()
  @Matches(POSTGRES_URL, { message: 'POSTGRES_MONITOR_URL must begin with postgresql://' })
  POSTGRES_MONITOR_URL?: string;

  @toInt
  @IsInt()
  @Min(1)
  @Max(1000)
  POSTGRES_POOL_SIZE = 10;

  @toInt
  @IsInt()
  @Min(1)
  @Max(1000)
  POSTGRES_PLATFORM_POOL_SIZE = 3;

  /** Milliseconds to wait for a connection, a free one of the pool included. */
  @toInt
  @IsInt()
  @Min(1)
  POSTGRES_CONNECT_TIMEOUT_MS = 5_000;

  @toInt
  @IsInt()
  @Min(1)
  POSTGRES_STATEMENT_TIMEOUT_MS = 10_000;

  @toInt
  @IsInt()
  @Min(1)
  POSTGRES_IDLE_TIMEOUT_MS = 30_000;

  @toInt
  @IsInt()
  @Min(1)
  POSTGRES_LOCK_TIMEOUT_MS = 5_000;

  /** Milliseconds in which a transaction may do nothing. */
  @toInt
  @IsInt()
  @Min(1)
  POSTGRES_IDLE_IN_TRANSACTION_TIMEOUT_MS = 10_000;

  /** How many callers may wait for a connection of one pool; the next are told to come back (503 `too_busy`). */
  @toInt
  @IsInt()
  @Min(1)
  POSTGRES_MAX_WAITING = 100;

  /** Where the embedded database and the generated secret live. */
  @IsString()
  DATA_DIR = '.data';

  /** 32 random bytes in base64. Seals the signing keys and the stored answers. Without POSTGRES_URL one is made in DATA_DIR. */
  @IsOptional()
  @IsBase64()
  @MinLength(44)
  SECRET_KEY?: string;

  /** The `iss` of access tokens. */
  @IsString()
  TOKEN_ISSUER = 'tenantry';

  @toInt
  @IsInt()
  @Min(60)
  @Max(3600)
  ACCESS_TOKEN_TTL_SECONDS = 600;

  @toInt
  @IsInt()
  @Min(1)
  SESSION_TTL_DAYS = 30;

  @IsOptional()
  @IsEmail()
  BOOTSTRAP_ADMIN_EMAIL?: string;

  @IsOptional()
  @MinLength(15)
  BOOTSTRAP_ADMIN_PASSWORD?: string;

  /** How many proxies stand in front and may be believed about the caller's address; 0: none (security.md, 35). */
  @toInt
  @IsInt()
  @Min(0)
  TRUST_PROXY = 0;

  /** Origins that browsers may call from, comma separated. */
  @toList
  @IsString({ each: true })
  CORS_ORIGINS: string[] = [];

  /** Days in which a deleted tenant can be restored. */
  @toInt
  @IsInt()
  @Min(0)
  TENANT_RETENTION_DAYS = 30;

  /** `/docs` and `/openapi.json`: public in development, off in production unless said. */
  @IsOptional()
  @IsIn(['on', 'off'])
  API_DOCS?: 'on' | 'off';

  /** What a scrape of `/metrics` must present as its bearer token. Neither this nor METRICS_PORT set: there is no `/metrics`. */
  @IsOptional()
  @MinLength(16)
  METRICS_TOKEN?: string;

  /** Serves `/metrics` on a port of its own (and HOST), and there only; 0: any free one. */
  @IsOptional()
  @toInt
  @IsInt()
  @Min(0)
  @Max(65535)
  METRICS_PORT?: number;

  /** How many of the busiest tenants the metrics show by id. */
  @toInt
  @IsInt()
  @Min(0)
  @Max(100)
  METRICS_BUSIEST_TENANTS = 10;

  /** The share of failures within 5 minutes beyond which `/health` says `degraded`. */
  @toNumber
  @IsNumber()
  @Min(0)
  @Max(1)
  ERROR_RATE_DEGRADED = 0.05;

  /** With fewer requests within 5 minutes the share of failures says nothing. */
  @toInt
  @IsInt()
  @Min(1)
  ERROR_RATE_MIN_REQUESTS = 20;

  /** Seconds that a standby may be behind before `/health` says `degraded`. */
  @toInt
  @IsInt()
  @Min(1)
  REPLICATION_LAG_DEGRADED_SECONDS = 30;

  /** How long, in milliseconds, an instance that is told to stop serves on after it says that it is not ready. Unset: 5 s in production. */
  @IsOptional()
  @toInt
  @IsInt()
  @Min(0)
  @Max(15_000)
  SHUTDOWN_DELAY_MS?: number;

  get shutdownDelayMs(): number {
    return this.SHUTDOWN_DELAY_MS ?? (this.NODE_ENV === 'production' ? PRODUCTION_SHUTDOWN_DELAY_MS : 0);
  }

  /** What the disk allows this database to grow to. Unset: nobody is told when it will be full. */
  @IsOptional()
  @toInt
  @IsInt()
  @Min(1)
  DATABASE_DISK_BOUND_BYTES?: number;

  /** With fewer days until that bound `/health` says `degraded`. */
  @toInt
  @IsInt()
  @Min(1)
  DISK_FULL_DEGRADED_DAYS = 14;

  /** A statement that took so many milliseconds is logged, without its values; 0: none is. */
  @toInt
  @IsInt()
  @Min(0)
  SLOW_QUERY_MS = 500;

  /** Where traces go, by OTLP over HTTP. Unset: there are none. The SDK reads it, too, and its other OTEL_* variables (src/tracing/sdk.ts). */
  @IsOptional()
  @Matches(OTLP_ENDPOINT, { message: 'OTEL_EXPORTER_OTLP_ENDPOINT must begin with http:// or https://' })
  OTEL_EXPORTER_OTLP_ENDPOINT?: string;

  get docsEnabled(): boolean {
    return this.API_DOCS ? this.API_DOCS === 'on' : this.NODE_ENV !== 'production';
  }
}

/** OTEL_EXPORTER_OTLP_ENDPOINT alone, for src/tracing, which must run before what readEnv is called by is loaded; undefined unless it is valid. */
export function tracingEndpoint(
  { OTEL_EXPORTER_OTLP_ENDPOINT: url }: NodeJS.ProcessEnv = process.env,
): string | undefined {
  return url && OTLP_ENDPOINT.test(url) ? url : undefined;
}

/** Secrets that stand in this repository's examples and so are known to everybody. */
const SAMPLE_SECRET = /change-?me|example|replace-?me|sample/i;
/**
 * Reads and checks the environment.
 * @throws StartupError naming each wrong variable and what it must be, never its value
 */
export function readEnv(source: NodeJS.ProcessEnv = process.env): Env {
  const { values, problems } = resolveSecrets(source);
  const env = plainToInstance(Env, values, { exposeDefaultValues: true });
  env.workerNumber = readWorkerNumber(source);
  for (const error of validateSync(env, { validationError: { target: false, value: false } })) {
    problems.push(...Object.values(error.constraints ?? {}));
  }
  for (const name of POSTGRES_URLS) {
    const url = values[name];
    if (url && POSTGRES_URL.test(url) && !readPostgresUrl(url))
      problems.push(`${name} cannot be read: ${POSTGRES_URL_ADVICE}`);
  }
  if (env.POSTGRES_URL && !env.POSTGRES_PLATFORM_URL)
    problems.push('POSTGRES_PLATFORM_URL must be set when POSTGRES_URL is');
  if (env.NODE_ENV === 'production') {
    if (env.POSTGRES_URL && !env.SECRET_KEY)
      problems.push('SECRET_KEY must be set in production (openssl rand -base64 32)');
    for (const name of SECRET_VARIABLES) {
      if (SAMPLE_SECRET.test(values[name] ?? '')) problems.push(`${name} is a sample value: set a secret of your own`);
    }
  }
  if (problems.length > 0)
    throw new StartupError(`The configuration is wrong:\n${problems.map((line) => `  - ${line}`).join('\n')}`);
  return env;
}
