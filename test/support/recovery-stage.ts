import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Moment, RecoveredCluster } from '../../src/backups/engine';
import { BackupStore } from '../../src/backups/native/backup-store';
import { NativeEngine } from '../../src/backups/native/native-engine';
import { WalReceiver } from '../../src/backups/native/wal-receiver';
import { LocalRepository } from '../../src/backups/repository/local-repository';
import type { BackupRepository } from '../../src/backups/repository/repository';
import { BackupKey } from '../../src/backups/repository/sealed-stream';
import { WalSource } from '../../src/database/wal-source';
import { eventually } from './eventually';
import { OwnServer } from './own-server';
import { makeTestDirectory, removeTestDirectory } from './test-directory';

const SLOT = 'stage';

/** A server of its own with a table of numbers, a repository, and what lies between them: backups, the log, restores. */
export class RecoveryStage {
  readonly repositoryRoot: string;
  private receiver: { stop(): Promise<void> } | undefined;

  private constructor(
    readonly server: OwnServer,
    readonly owner: pg.Client,
    readonly directory: string,
    readonly key: BackupKey,
  ) {
    this.repositoryRoot = path.join(directory, 'repository');
  }

  /** @param settings of postgresql.conf */
  static async start(settings: Readonly<Record<string, string>> = {}): Promise<RecoveryStage> {
    const server = await OwnServer.start(settings);
    const owner = new pg.Client({ connectionString: server.urls.owner });
    owner.on('error', () => undefined); // whoever stops the server knows
    await owner.connect();
    await owner.query('CREATE TABLE public.numbers (number int)');
    return new RecoveryStage(server, owner, makeTestDirectory(), new BackupKey(randomBytes(32)));
  }

  async end(): Promise<void> {
    await this.stopReceiving();
    await this.owner.end();
    await this.server.remove();
    removeTestDirectory(this.directory);
  }

  storeOf(repository: BackupRepository = new LocalRepository(this.repositoryRoot), keys = [this.key]): BackupStore {
    return new BackupStore(repository, keys);
  }

  engineOf(store = this.storeOf()): NativeEngine {
    return new NativeEngine(store, { url: () => this.server.urls.backup, binDir: process.env.TEST_POSTGRES_BIN });
  }

  /** The same repository once more, to be damaged. */
  copyOfRepository(): { root: string; engine: NativeEngine } {
    const root = path.join(this.directory, `copy-${randomBytes(4).toString('hex')}`);
    cpSync(this.repositoryRoot, root, { recursive: true });
    return { root, engine: this.engineOf(this.storeOf(new LocalRepository(root))) };
  }

  /** Stores the log from now on: a segment a second, unless it is told otherwise. Each is 16 MB, however little is in it. */
  async receive(
    store = this.storeOf(),
    options: { onGap?: (reason: string) => void; heartbeatMs?: number; segmentAgeMs?: number } = {},
  ): Promise<void> {
    const source = await WalSource.connect(this.server.urls.backup, 'POSTGRES_BACKUP_URL');
    const receiver = new WalReceiver({ source, store, slot: SLOT, heartbeatMs: 200, segmentAgeMs: 1_000, ...options });
    const ended = receiver.run();
    const outcome = ended.catch(() => undefined);
    this.receiver = {
      stop: async () => {
        receiver.stop();
        await outcome;
        await source.end();
      },
    };
    void outcome.then(() => source.end());
  }

  async stopReceiving(): Promise<void> {
    await this.receiver?.stop();
    this.receiver = undefined;
  }

  /** Commits a number. @returns a moment after it and before whatever comes next, by the server's clock */
  async write(number: number): Promise<Date> {
    await this.owner.query('INSERT INTO public.numbers VALUES ($1)', [number]);
    // A Date has no microseconds: cut off, it would lie before the commit.
    const { rows } = await this.owner.query<{ now: Date }>("SELECT clock_timestamp() + interval '1 ms' AS now");
    await sleep(20);
    return rows[0]!.now;
  }

  /** Waits until the log is stored up to a moment. */
  async stored(at: Date, engine = this.engineOf(), patienceMs = 30_000): Promise<void> {
    await eventually(async () => {
      const { until } = await engine.planRestore({ moment: { kind: 'latest' } });
      expect(until.getTime()).toBeGreaterThan(at.getTime());
    }, patienceMs);
  }

  /** Restores to a moment and looks at the cluster as its superuser. */
  async restored<Result>(
    moment: Moment,
    look: (client: pg.Client, cluster: RecoveredCluster) => Promise<Result>,
    engine = this.engineOf(),
    backupId?: string,
  ): Promise<Result> {
    const plan = await engine.planRestore({ moment, backupId });
    const cluster = await engine.materialize(plan, { directory: this.newTarget() });
    const client = new pg.Client({ connectionString: cluster.adminUrl('tenantry') });
    try {
      await client.connect();
      return await look(client, cluster);
    } finally {
      await client.end();
      await cluster.discard();
    }
  }

  numbersAt(moment: Moment, engine = this.engineOf(), backupId?: string): Promise<number[]> {
    return this.restored(moment, (client) => numbersOf(client), engine, backupId);
  }

  /** Of a data directory that does not exist yet. */
  newTarget(): string {
    return path.join(this.directory, 'targets', randomBytes(4).toString('hex'));
  }

  /** What restores have left of their directories; none of them may leave anything when it fails. */
  leftovers(): string[] {
    const targets = path.join(this.directory, 'targets');
    return existsSync(targets) ? readdirSync(targets) : [];
  }

  removeRepository(): void {
    rmSync(this.repositoryRoot, { recursive: true, force: true });
  }
}

export async function numbersOf(client: pg.Client): Promise<number[]> {
  const { rows } = await client.query<{ number: number }>('SELECT number FROM public.numbers ORDER BY number');
  return rows.map(({ number }) => number);
}

export const at = (time: Date) => ({ kind: 'time', at: time }) as const;
export const LATEST = { kind: 'latest' } as const;
