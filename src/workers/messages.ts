import type { BootstrappedAdministrator } from '../auth/bootstrap-administrator';
import type { DatabaseUrls } from '../database/pools';
import type { MetricReading } from '../monitoring/metrics.service';

/** What a worker is to serve. It reads the rest of its configuration itself, as its primary did. */
export interface Assignment {
  urls: DatabaseUrls;
  /** That the primary has made for `npm run status`. */
  metricsToken: string | undefined;
}

/** From the primary process to a worker. */
export type ToWorker =
  | ({ kind: 'serve' } & Assignment)
  /** Asks for the metrics of this worker; `shared`: and for those that all would tell alike. */
  | { kind: 'collect'; id: number; shared: boolean }
  /** The metrics of the instance; undefined: they could not be read. */
  | { kind: 'metrics'; id: number; text: string | undefined };

/** From a worker to the primary process. */
export type ToPrimary =
  | { kind: 'serving'; url: string; administrator: BootstrappedAdministrator | undefined }
  /** It ends: it could not start. In words for the operator. */
  | { kind: 'failed'; reason: string }
  | { kind: 'collected'; id: number; own: MetricReading[]; shared: MetricReading[] }
  /** Asks for the metrics of the instance: somebody has asked this worker. */
  | { kind: 'readMetrics'; id: number };
