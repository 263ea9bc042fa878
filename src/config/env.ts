import { plainToInstance, Transform } from 'class-transformer';
import {
  IsBase64,
  IsEmail,
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  Matches,
  Max,
  Min,
  MinLength,
  validateSync,
} from 'class-validator';
import { StartupError } from '../common/errors';

const POSTGRES_URL = /^postgres(ql)?:\/\//;

const toInt = Transform(({ value }) =>
  typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : (value as unknown),
);
const toList = Transform(({ value }) =>
  typeof value === 'string'
    ? value
        .split(',')
        .map((part) => part.trim())
        .filter(Boolean)
    : (value as unknown),
);

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

  get docsEnabled(): boolean {
    return this.API_DOCS ? this.API_DOCS === 'on' : this.NODE_ENV !== 'production';
  }
}

/** Secrets that stand in this repository's examples and so are known to everybody. */
const SAMPLE_SECRET = /change-?me|example|replace-?me|sample/i;
const POSTGRES_URLS = ['POSTGRES_URL', 'POSTGRES_PLATFORM_URL', 'POSTGRES_OWNER_URL'] as const;
const SECRETS = ['SECRET_KEY', 'BOOTSTRAP_ADMIN_PASSWORD', ...POSTGRES_URLS] as const;

/**
 * Reads and checks the environment.
 * @throws StartupError naming each wrong variable and what it must be, never its value
 */
export function readEnv(source: NodeJS.ProcessEnv = process.env): Env {
  const given = Object.fromEntries(Object.entries(source).filter(([, value]) => value !== undefined && value !== ''));
  const env = plainToInstance(Env, given, { exposeDefaultValues: true });
  const problems = validateSync(env, { validationError: { target: false, value: false } }).flatMap((error) =>
    Object.values(error.constraints ?? {}),
  );
  for (const name of POSTGRES_URLS) {
    if (POSTGRES_URL.test(env[name] ?? '') && !URL.canParse(env[name]!))
      problems.push(`${name} cannot be read: in its password, percent-encode what is neither letter nor digit`);
  }
  if (env.POSTGRES_URL && !env.POSTGRES_PLATFORM_URL)
    problems.push('POSTGRES_PLATFORM_URL must be set when POSTGRES_URL is');
  if (env.NODE_ENV === 'production') {
    if (env.POSTGRES_URL && !env.SECRET_KEY)
      problems.push('SECRET_KEY must be set in production (openssl rand -base64 32)');
    for (const name of SECRETS) {
      if (SAMPLE_SECRET.test(env[name] ?? '')) problems.push(`${name} is a sample value: set a secret of your own`);
    }
  }
  if (problems.length > 0)
    throw new StartupError(`The configuration is wrong:\n${problems.map((line) => `  - ${line}`).join('\n')}`);
  return env;
}
