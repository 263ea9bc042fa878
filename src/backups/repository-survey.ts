import { Logger } from '@nestjs/common';
import { failureOf } from './backup-job';
import { believable } from './due-backup';
import type { BackupEngine, BackupSummary, CoverageSpan } from './engine';

/** What a repository holds, as it was seen last. */
export interface Survey {
  /** When it was looked at last, with or without success. */
  at: Date;
  /** Why that failed; then the rest is as it was before. */
  error: string | undefined;
  /** The oldest first, without those from the future. Undefined: it could never be read. */
  backups: readonly BackupSummary[] | undefined;
  /** What can be restored without a hole, up to the last stored commit; undefined: nothing. */
  coverage: { from: Date; to: Date } | undefined;
  /** What is missing of the log of the newest backup, or since; undefined: nothing. */
  gap: string | undefined;
}

/** Looking must not take more than this share of the time: a large repository is looked at less often. */
const SHARE = 1 / 50;

/** So often, in milliseconds, while the log of the newest backup is still to come. */
const UNSETTLED_MS = 5_000;

/** Looks into the repository now and then, in the background, so that nobody has to wait for it. */
export class RepositorySurvey {
  private readonly logger = new Logger('Backups');
  private underway: Promise<void> | undefined;
  private nextAt = 0;
  private isOutdated = false;
  /** The newest look; undefined: there has been none. */
  latest: Survey | undefined;

  /** @param everyMs how often, at most */
  constructor(
    private readonly engine: BackupEngine,
    private readonly everyMs: number,
  ) {}

  /** Looks, if it is time, and does not wait. */
  refresh(): void {
    if (performance.now() < this.nextAt) return;
    this.underway ??= this.look().finally(() => (this.underway = undefined));
  }

  /** What is known is out of date: the next refresh() looks, and until it has, it is not `fresh`. */
  async outdate(): Promise<void> {
    await this.underway;
    this.isOutdated = true;
    this.nextAt = 0;
  }

  /** The newest look, unless something has changed since, or it has failed. */
  get fresh(): Survey | undefined {
    return this.isOutdated || this.latest?.error !== undefined ? undefined : this.latest;
  }

  /** Can the newest backup be restored already? Its log comes after it. */
  private get isSettled(): boolean {
    const { backups, coverage } = this.latest ?? {};
    const newest = backups?.at(-1);
    return !newest || (coverage !== undefined && coverage.to >= newest.finishedAt);
  }

  /** A backup that nothing can be restored from has lost its own log, or the rest of it is still to come. */
  private async gapSince(
    newest: BackupSummary | undefined,
    spans: readonly CoverageSpan[],
  ): Promise<string | undefined> {
    if (!newest) return undefined;
    const span = spans.findLast(({ backupId }) => backupId === newest.id);
    return span ? span.gap : this.engine.missingLogOf?.(newest.id);
  }

  private async look(): Promise<void> {
    const begun = performance.now();
    const before = this.latest;
    try {
      const [all, spans] = await Promise.all([this.engine.listBackups(), this.engine.coverage()]);
      const backups = believable(all, new Date());
      const gap = await this.gapSince(backups.at(-1), spans);
      this.latest = { at: new Date(), error: undefined, backups, coverage: unbroken(spans), gap };
      if (before?.error !== undefined) this.logger.log(`${this.engine.place} can be read again.`);
    } catch (error) {
      const none = { backups: undefined, coverage: undefined, gap: undefined };
      this.latest = { ...none, ...before, at: new Date(), error: failureOf(error) };
      if (before?.error === undefined) this.logger.warn(`Backups cannot be read: ${this.latest.error}`);
    }
    this.isOutdated = false;
    const took = performance.now() - begun;
    this.nextAt = performance.now() + Math.max(this.isSettled ? this.everyMs : UNSETTLED_MS, took / SHARE);
  }
}

/** From the last stored commit back, as far as spans meet. */
export function unbroken(spans: readonly CoverageSpan[]): { from: Date; to: Date } | undefined {
  const [newest] = spans.toSorted((a, b) => b.to.getTime() - a.to.getTime());
  if (!newest) return undefined;
  let { from } = newest;
  for (;;) {
    const before = spans.find((span) => span.from < from && span.to >= from);
    if (!before) return { from, to: newest.to };
    ({ from } = before);
  }
}
