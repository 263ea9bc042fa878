import { Injectable, Logger } from '@nestjs/common';
import { Clock } from '../common/clock';
import { Env } from '../config/env';
import { CachedReading } from './cached-reading';
import { daysUntilFull, type Growth, GROWTH_WINDOWS, growthOf } from './growth';
import { ServerState } from './server-state';
import { type SizePoint, SizeSamplesRepository } from './size-samples.repository';
import { statisticsNotConfigured, statisticsUnavailable } from './statistics-unavailable';

/** Samples come once an hour. */
const FRESH_MS = 60_000;
/** A scrape has 10 s as a rule, a probe less. */
const PATIENCE_MS = 2_000;
const DAY_MS = 24 * 3_600_000;

/** The size of a table or a tenant. */
export interface SizeOfPart {
  name: string;
  bytes: number;
  /** As PostgreSQL's statistics have it. */
  rows: number;
  growth: Growth;
}

/** How large everything is, and how fast it grows. */
export interface DatabaseSize {
  bytes: number;
  growth: Growth;
  boundBytes: number | null;
  daysUntilFull: number | null;
  /** The largest first; their sizes are of now. */
  tables: SizeOfPart[];
  /** The largest first; their sizes are of `sampledAt`. */
  tenants: SizeOfPart[];
  /** Of the newest sample; null: none has been taken yet. */
  sampledAt: Date | null;
}

/** Puts together what is and what was. */
@Injectable()
export class DatabaseSizeService {
  private readonly logger = new Logger('Monitoring');
  private readonly reading: CachedReading<DatabaseSize>;

  constructor(
    private readonly server: ServerState,
    private readonly samples: SizeSamplesRepository,
    private readonly env: Env,
    private readonly clock: Clock,
  ) {
    this.reading = new CachedReading(
      () => this.measure(),
      FRESH_MS,
      PATIENCE_MS,
      () => this.logger.warn('The growth of the database cannot be told for now'),
    );
  }

  /** Undefined when there is no monitor login, or the server does not answer in time. At most a minute old. */
  get(): Promise<DatabaseSize | undefined> {
    return this.server.isConfigured ? this.reading.get() : Promise.resolve(undefined);
  }

  /** @throws UnavailableError when it cannot be read */
  async read(): Promise<DatabaseSize> {
    if (!this.server.isConfigured) throw statisticsNotConfigured();
    const size = await this.get();
    if (!size) throw statisticsUnavailable();
    return size;
  }

  private async measure(): Promise<DatabaseSize> {
    const now = this.clock.now();
    const longest = Math.max(...Object.values(GROWTH_WINDOWS));
    const [storage, latest, series] = await Promise.all([
      this.server.storage.get(),
      this.samples.readLatest(),
      this.samples.readDailySince(new Date(now.getTime() - longest * DAY_MS)),
    ]);
    if (!storage) throw new Error('The sizes of now cannot be read.');
    const growthIn = (key: string): Growth => growthOf(series.get(key) ?? [], now);
    const growth = growthOf(databaseSeries(series), now);
    return {
      bytes: storage.databaseBytes,
      growth,
      boundBytes: this.env.DATABASE_DISK_BOUND_BYTES ?? null,
      daysUntilFull: daysUntilFull(storage.databaseBytes, growth, this.env.DATABASE_DISK_BOUND_BYTES),
      tables: storage.tables.map(({ table, bytes, rows }) => ({
        name: table,
        bytes,
        rows,
        growth: growthIn(`table ${table}`),
      })),
      tenants: (latest?.sizes ?? [])
        .filter(({ kind }) => kind === 'tenant')
        .map(({ name, bytes, rows }) => ({ name, bytes, rows: rows ?? 0, growth: growthIn(`tenant ${name}`) })),
      sampledAt: latest?.takenAt ?? null,
    };
  }
}

/** The database's own; there is one, whatever it was called when it was sampled. */
function databaseSeries(series: ReadonlyMap<string, SizePoint[]>): SizePoint[] {
  return [...series]
    .flatMap(([key, points]) => (key.startsWith('database ') ? points : []))
    .toSorted((a, b) => a.at.getTime() - b.at.getTime());
}
