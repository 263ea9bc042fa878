import { Injectable, Logger } from '@nestjs/common';
import { MonitorDb } from '../database/monitor-db';
import { ActivityRepository, type Activity } from './activity.repository';
import { CachedReading } from './cached-reading';
import { type ArchiveLag, ReplicationRepository, type StandbyLag } from './replication.repository';
import { type Storage, StorageRepository } from './storage.repository';

/** Several Prometheus servers and probes ask within one interval; the server is asked once. */
const FRESH_MS = 5_000;
/** Sizes are read from the disk, file by file. */
const SIZES_FRESH_MS = 60_000;
/** A scrape has 10 s as a rule, a probe less. */
const PATIENCE_MS = 2_000;

/** What PostgreSQL says about itself, under the monitor login. Each reading is cached, and `undefined` when there is none. */
@Injectable()
export class ServerState {
  private readonly logger = new Logger('Monitoring');
  readonly activity: CachedReading<Activity>;
  readonly standbys: CachedReading<StandbyLag[]>;
  /** null: archiving is off. */
  readonly archive: CachedReading<ArchiveLag | null>;
  readonly storage: CachedReading<Storage>;

  constructor(
    private readonly db: MonitorDb,
    activity: ActivityRepository,
    replication: ReplicationRepository,
    storage: StorageRepository,
  ) {
    this.activity = this.reading('activity', FRESH_MS, () => activity.read());
    this.standbys = this.reading('replication', FRESH_MS, () => replication.readStandbys());
    this.archive = this.reading('archiving', FRESH_MS, async () => (await replication.readArchive()) ?? null);
    this.storage = this.reading('sizes', SIZES_FRESH_MS, () => storage.read());
  }

  /** Is there a monitor login? Without one nothing can be read. */
  get isConfigured(): boolean {
    return this.db.isConfigured;
  }

  private reading<Value>(what: string, freshMs: number, read: () => Promise<Value>): CachedReading<Value> {
    return new CachedReading(read, freshMs, PATIENCE_MS, (error) => {
      const { code = 'no answer' } = error as { code?: string };
      this.logger.warn(`The server's ${what} cannot be read under the monitor login: ${code}`);
    });
  }
}
