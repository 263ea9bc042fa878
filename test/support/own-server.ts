import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/database/embedded-postgres';
import type { LoginUrls } from '../../src/database/login-definitions';
import { bootstrapDatabase } from '../../src/database/logins';
import { PgBouncer, pgBouncerProgram } from './pgbouncer';
import { copyPreparedCluster, DATABASE } from './prepared-cluster';
import { makeTestDirectory, removeTestDirectory } from './test-directory';

type Settings = Readonly<Record<string, string>>;

/**
 * A PostgreSQL server of a suite's own, to be stopped and killed, with one migrated database; behind a PgBouncer of its own,
 * which stays, when the run goes through it.
 */
export class OwnServer {
  private constructor(
    private readonly directory: string,
    private readonly settings: Settings,
    private readonly binDir: string | undefined,
    private server: EmbeddedPostgres,
    readonly urls: LoginUrls,
    readonly bouncer: PgBouncer | undefined,
  ) {}

  /**
   * @param settings of postgresql.conf
   * @param binDir of the server's programs; undefined: the embedded ones
   */
  static async start(settings: Settings = {}, binDir = process.env.TEST_POSTGRES_BIN): Promise<OwnServer> {
    const directory = makeTestDirectory();
    await copyPreparedCluster(directory, binDir);
    const server = await launch(directory, settings, binDir);
    try {
      const { urls } = await bootstrapDatabase(server.adminUrl(), { database: DATABASE, rotate: true });
      const program = pgBouncerProgram();
      const bouncer = program ? await PgBouncer.start(program, directory, server.adminUrl()) : undefined;
      return new OwnServer(
        directory,
        settings,
        binDir,
        server,
        bouncer?.urlsOf(urls as LoginUrls) ?? (urls as LoginUrls),
        bouncer,
      );
    } catch (error) {
      await server.stop();
      removeTestDirectory(directory);
      throw error;
    }
  }

  /** Of the superuser. */
  adminUrl(): string {
    return this.server.adminUrl(DATABASE);
  }

  /** Its data directory (PGDATA). */
  get pgData(): string {
    return this.server.dataDir;
  }

  stop(): Promise<void> {
    return this.server.stop();
  }

  async startAgain(): Promise<void> {
    this.server = await launch(this.directory, this.settings, this.binDir);
  }

  /** As the kernel does when memory runs out. */
  kill(): void {
    const [pid] = readFileSync(path.join(this.server.dataDir, 'postmaster.pid'), 'utf8').split('\n');
    process.kill(Number(pid), 'SIGKILL');
  }

  async remove(): Promise<void> {
    await this.bouncer?.stop();
    await this.server.stop();
    removeTestDirectory(this.directory);
  }
}

function launch(directory: string, settings: Settings, binDir: string | undefined): Promise<EmbeddedPostgres> {
  return startEmbeddedPostgres({ dataDir: directory, settings, ...(binDir && { binDir }) });
}
