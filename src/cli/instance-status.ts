import type { Env } from '../config/env';
import { readInstanceFile } from '../monitoring/instance-file';
import { type MetricSample, parseMetrics } from './metrics-text';

/** What only a running instance knows. */
export interface InstanceStatus {
  version: string;
  startedAt: Date;
  pools: PoolStatus[];
  http: {
    /** Since the start, probes and scrapes included. */
    requests: number;
    /** Of these 500 and above. */
    serverErrors: number;
    /** Within the last 5 minutes, from 0 to 1; null: there was no request. */
    recentErrorRatio: number | null;
  };
  database: {
    /** Since the start, by class of SQLSTATE; those that never happened are left out. */
    errors: Record<string, number>;
    /** As above, without what is the caller's doing. */
    recentErrorRatio: number | null;
  };
}

export interface PoolStatus {
  name: string;
  used: number;
  idle: number;
  waiting: number;
  max: number;
  /** Since the start. */
  timeouts: number;
  shed: number;
}

/** Where the metrics are, and what opens them. */
export interface MetricsAddress {
  url: string;
  token: string | undefined;
}

/** Either the status, or why there is none, in words. */
export type Asked<Status> = { isReachable: true; status: Status } | { isReachable: false; reason: string };

const TIMEOUT_MS = 5_000;
/** Where a server listens everywhere, it can be asked here. */
const EVERYWHERE: Record<string, string> = { '0.0.0.0': '127.0.0.1', '::': '[::1]' };

/**
 * Where to ask: `--url`; else where the instance of an embedded database said that it listens; else HOST and METRICS_PORT or PORT.
 * @param isEmbedded whether DATA_DIR is where the database lives
 */
export function metricsAddress(env: Env, url: string | undefined, isEmbedded: boolean): MetricsAddress {
  const known = isEmbedded ? readInstanceFile(env.DATA_DIR) : undefined;
  const token = env.METRICS_TOKEN ?? known?.metricsToken;
  if (url !== undefined) return { url: url.replace(/\/(metrics\/?)?$/, ''), token };
  if (known) return { url: known.metricsUrl, token };
  const host = EVERYWHERE[env.HOST] ?? env.HOST;
  return { url: `http://${host}:${env.METRICS_PORT ?? env.PORT}`, token };
}

/** Asks the instance for its metrics. It does not throw. */
export async function askInstance({ url, token }: MetricsAddress): Promise<Asked<InstanceStatus>> {
  try {
    const response = await fetch(`${url}/metrics`, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      redirect: 'error', // the token is for this address alone
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await response.text();
    return response.ok
      ? { isReachable: true, status: toStatus(parseMetrics(text)) }
      : { isReachable: false, reason: refusal(response.status, token) };
  } catch (error) {
    const { name, cause } = error as Error & { cause?: NodeJS.ErrnoException };
    const reason =
      name === 'TimeoutError'
        ? `no answer within ${TIMEOUT_MS / 1000} s`
        : (cause?.code ?? cause?.message ?? 'no answer');
    return { isReachable: false, reason };
  }
}

function refusal(status: number, token: string | undefined): string {
  if (status === 401) return token === undefined ? 'it wants METRICS_TOKEN' : 'it refuses METRICS_TOKEN';
  if (status === 404) return 'it serves no metrics there: set METRICS_TOKEN or METRICS_PORT for it';
  return `it answers ${status}`;
}

function toStatus(samples: MetricSample[]): InstanceStatus {
  const all = (name: string): MetricSample[] => samples.filter((sample) => sample.name === name);
  const one = (name: string, labels: Record<string, string> = {}): number | null =>
    all(name).find((sample) => Object.entries(labels).every(([key, value]) => sample.labels[key] === value))?.value ??
    null;
  const sum = (found: MetricSample[]): number => found.reduce((total, { value }) => total + value, 0);
  const requests = all('http_server_request_duration_seconds_count');
  const errors: Record<string, number> = {};
  for (const { labels, value } of all('db_client_errors_total')) {
    if (value > 0) errors[labels.sqlstate_class!] = (errors[labels.sqlstate_class!] ?? 0) + value;
  }
  const pool = (name: string): PoolStatus => {
    const of = (what: string, labels = {}): number =>
      one(`db_client_connection_${what}`, { pool: name, ...labels }) ?? 0;
    return {
      name,
      used: of('count', { state: 'used' }),
      idle: of('count', { state: 'idle' }),
      waiting: of('pending_requests'),
      max: of('max'),
      timeouts: of('timeouts_total'),
      shed: of('shed_total'),
    };
  };
  return {
    version: all('tenantry_build_info')[0]?.labels.version ?? 'unknown',
    startedAt: new Date((one('process_start_time_seconds') ?? 0) * 1000),
    pools: all('db_client_connection_max').map(({ labels }) => pool(labels.pool!)),
    http: {
      requests: sum(requests),
      serverErrors: sum(requests.filter(({ labels }) => labels.http_response_status_code!.startsWith('5'))),
      recentErrorRatio: one('http_server_error_ratio'),
    },
    database: { errors, recentErrorRatio: one('db_client_error_ratio') },
  };
}
