import { readFileSync } from 'node:fs';
import { StartupError } from '../common/errors';
import { isSealed, openValue } from './sealed-value';

/** The variables that hold connection strings. */
export const POSTGRES_URLS = [
  'POSTGRES_URL',
  'POSTGRES_PLATFORM_URL',
  'POSTGRES_OWNER_URL',
  'POSTGRES_MONITOR_URL',
  'POSTGRES_BACKUP_URL',
  'POSTGRES_REPLICA_URL',
  'POSTGRES_ADMIN_URL',
  'POSTGRES_SCRATCH_URL',
] as const;

/**
 * The variables that hold secrets. Each NAME may be given as NAME_FILE, the name of a file that holds the value (secrets of
 * Docker and Kubernetes), and either may hold a value that `npm run secret:encrypt` made.
 */
export const SECRET_VARIABLES = [
  ...POSTGRES_URLS,
  'SECRET_KEY',
  'BOOTSTRAP_ADMIN_PASSWORD',
  'METRICS_TOKEN',
  'BACKUP_KEY',
  'BACKUP_OLD_KEYS',
  'BACKUP_S3_ACCESS_KEY_ID',
  'BACKUP_S3_SECRET_ACCESS_KEY',
] as const;

/** The key of encrypted values; CONFIG_KEY_FILE names a file that holds it. */
const CONFIG_KEY = 'CONFIG_KEY';

/** The variables that are set, their secrets in plain text, and what is wrong with them (names only). */
export interface ResolvedEnvironment {
  values: Record<string, string>;
  problems: string[];
}

/** Reads the files and opens the encrypted values. An empty variable counts as absent. */
export function resolveSecrets(source: NodeJS.ProcessEnv): ResolvedEnvironment {
  const values = Object.fromEntries(
    Object.entries(source).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== ''),
  );
  const problems: string[] = [];
  for (const name of [CONFIG_KEY, ...SECRET_VARIABLES]) {
    try {
      const value = valueOf(name, values);
      if (value !== undefined) values[name] = value;
    } catch (error) {
      delete values[name]; // no further complaint about its form, which could only confuse
      problems.push((error as StartupError).message);
    }
  }
  return { values, problems };
}

/**
 * CONFIG_KEY, or what the file that CONFIG_KEY_FILE names holds.
 * @throws StartupError when neither is set, both are, or the file cannot be read
 */
export function readConfigKey(source: NodeJS.ProcessEnv = process.env): string {
  const { values, problems } = resolveSecrets({
    CONFIG_KEY: source.CONFIG_KEY,
    CONFIG_KEY_FILE: source.CONFIG_KEY_FILE,
  });
  if (values.CONFIG_KEY) return values.CONFIG_KEY;
  throw new StartupError(
    problems[0] ?? 'CONFIG_KEY or CONFIG_KEY_FILE must be set. Make a key with: openssl rand -base64 32',
  );
}

function valueOf(name: string, values: Readonly<Record<string, string>>): string | undefined {
  const file = values[`${name}_FILE`];
  if (file !== undefined && values[name] !== undefined) throw new StartupError(`${name} and ${name}_FILE are both set`);
  const value = file === undefined ? values[name] : readSecretFile(`${name}_FILE`, file);
  if (value === undefined || name === CONFIG_KEY || !isSealed(value)) return value;
  const key = values[CONFIG_KEY];
  if (key === undefined) throw new StartupError(`${name} is encrypted: CONFIG_KEY or CONFIG_KEY_FILE must be set`);
  try {
    return openValue(key, value);
  } catch (error) {
    throw new StartupError(`${name} is encrypted, and ${(error as Error).message}`, { cause: error });
  }
}

function readSecretFile(variable: string, file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new StartupError(`${variable} cannot be read (${(error as NodeJS.ErrnoException).code})`, { cause: error });
  }
  const value = text.replace(/\r?\n$/, ''); // editors and echo end a file with one
  if (value === '') throw new StartupError(`${variable} names an empty file`);
  return value;
}
