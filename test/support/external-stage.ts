import path from 'node:path';
import pg from 'pg';
import type { Moment, RecoveredCluster } from '../../src/backups/engine';
import { ExternalEngine } from '../../src/backups/external/external-engine';
import type { NativeEngine } from '../../src/backups/native/native-engine';
import type { SealedNotes } from '../../src/backups/repository/sealed-notes';
import type { EngineStage } from './engine-stage';
import { RecoveryStage } from './recovery-stage';

/** A managed server. Its provider is played by the native engine, which restores it into a new one when it is asked to. */
export class ExternalStage implements EngineStage {
  readonly restoresItself = false;
  readonly notes: SealedNotes;
  private offered: RecoveredCluster | undefined;

  private constructor(
    readonly live: RecoveryStage,
    private readonly provider: NativeEngine,
  ) {
    this.notes = provider.store.notes;
  }

  /** With a backup of the provider's. */
  static async start(): Promise<ExternalStage> {
    const live = await RecoveryStage.start();
    const provider = live.engineOf();
    // A restore replays every segment.
    await live.receive(provider.store, { heartbeatMs: 200, segmentAgeMs: 2_000 });
    await provider.createBackup({ checkpoint: 'fast' });
    return new ExternalStage(live, provider);
  }

  /** As it is configured when it is asked for. */
  get engine(): ExternalEngine {
    return this.engineOf();
  }

  engineOf(
    settings: { scratchUrl?: string | undefined; liveUrl?: string; refusesPlainText?: boolean } = {},
  ): ExternalEngine {
    const { liveUrl = this.backupUrl, refusesPlainText = false } = settings;
    const scratchUrl = 'scratchUrl' in settings ? settings.scratchUrl : this.offered?.adminUrl('tenantry');
    return new ExternalEngine({ scratchUrl, liveUrl: () => liveUrl, refusesPlainText });
  }

  get backupUrl(): string {
    return this.live.server.urls.backup;
  }

  /** Of the server that the provider has restored. */
  get scratch(): RecoveredCluster {
    if (!this.offered) throw new Error('The provider has been asked for nothing yet.');
    return this.offered;
  }

  async write(number: number): Promise<Date> {
    await this.note();
    return this.live.write(number);
  }

  /** Notes the time in the database, as the elected instance does every 15 s. */
  async note(): Promise<Date> {
    const client = new pg.Client({ connectionString: this.backupUrl });
    await client.connect();
    try {
      const { rows } = await client.query<{ at: Date }>(
        `INSERT INTO ops.backup_state (observed_at, instance, engine, place) VALUES (now(), 'test', 'external', 'test')
         ON CONFLICT (id) DO UPDATE SET observed_at = excluded.observed_at RETURNING observed_at AS at`,
      );
      return rows[0]!.at;
    } finally {
      await client.end();
    }
  }

  stored(at: Date): Promise<void> {
    return this.live.stored(at, this.provider, 120_000);
  }

  /** Has the provider restore the live server to the moment, in place of what it has restored before. */
  async offer(moment: Moment): Promise<void> {
    await this.withdraw();
    const plan = await this.provider.planRestore({ moment });
    this.offered = await this.provider.materialize(plan, { directory: this.live.newTarget(), isScratch: true });
  }

  newTarget(): string {
    return this.live.newTarget();
  }

  /** But for what is the provider's. */
  leftovers(): string[] {
    const directory = this.offered?.directory;
    return this.live
      .leftovers()
      .filter((name) => directory === undefined || !name.startsWith(path.basename(directory)));
  }

  private async withdraw(): Promise<void> {
    await this.offered?.discard();
    this.offered = undefined;
  }

  async end(): Promise<void> {
    await this.withdraw();
    await this.live.end();
  }
}
