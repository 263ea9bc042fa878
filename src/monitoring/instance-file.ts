import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Env } from '../config/env';

/** Where the instance of a data directory can be asked, by whoever may read that directory. */
export interface InstanceCoordinates {
  /** Of its metrics, without `/metrics`. */
  metricsUrl: string;
  /** Where the instance has made one; undefined: METRICS_TOKEN is the operator's own, or the port of METRICS_PORT asks for none. */
  metricsToken?: string | undefined;
}

const FILE = 'instance.json';
const TOKEN_BYTES = 24;

/**
 * Where nobody has decided who may read the metrics (neither METRICS_TOKEN nor METRICS_PORT), makes a token that only
 * `<DATA_DIR>/instance.json` knows, so that `npm run status` works beside an embedded database without any set-up.
 * @returns the token that it made
 */
export function ensureMetricsToken(env: Env): string | undefined {
  if (env.METRICS_PORT !== undefined || env.METRICS_TOKEN !== undefined) return undefined;
  env.METRICS_TOKEN = randomBytes(TOKEN_BYTES).toString('base64url');
  return env.METRICS_TOKEN;
}

/** Leaves the coordinates to `npm run status`; 0600, since the token opens the metrics. */
export function writeInstanceFile(dataDir: string, coordinates: InstanceCoordinates): void {
  const file = path.join(dataDir, FILE);
  writeFileSync(`${file}.new`, `${JSON.stringify(coordinates)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

export function removeInstanceFile(dataDir: string): void {
  rmSync(path.join(dataDir, FILE), { force: true });
}

/** Undefined when no instance has left any; one that was killed leaves them behind. */
export function readInstanceFile(dataDir: string): InstanceCoordinates | undefined {
  try {
    return JSON.parse(readFileSync(path.join(dataDir, FILE), 'utf8')) as InstanceCoordinates;
  } catch {
    return undefined;
  }
}
