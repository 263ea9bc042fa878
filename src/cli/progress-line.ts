import { formatBytes, formatDuration } from './terminal-text';

const BAR_CELLS = 24;
const REDRAW_MS = 100;

/** A bar that is drawn over and over on one line of a terminal; elsewhere nothing is drawn. */
export class ProgressLine {
  private readonly startedAt = performance.now();
  private drawnAt = 0;

  constructor(
    private readonly what: string,
    private readonly isWanted = true,
    private readonly unit: 'bytes' | 'files' = 'bytes',
  ) {}

  show(done: number, total: number): void {
    const now = performance.now();
    if (!this.isDrawn || (now - this.drawnAt < REDRAW_MS && done < total)) return;
    this.drawnAt = now;
    const share = total > 0 ? Math.min(done / total, 1) : 0;
    const cells = Math.round(share * BAR_CELLS);
    const bar = '█'.repeat(cells).padEnd(BAR_CELLS, '░');
    const left = share > 0 ? ((now - this.startedAt) / share - (now - this.startedAt)) / 1000 : 0;
    const amount = this.unit === 'bytes' ? `${formatBytes(done)} of ${formatBytes(total)}` : `${done} of ${total}`;
    process.stderr.write(`\r\u001B[K${this.what} ${bar} ${amount}, ${formatDuration(left)} left`);
  }

  end(): void {
    if (this.isDrawn && this.drawnAt > 0) process.stderr.write('\r\u001B[K');
  }

  private get isDrawn(): boolean {
    return this.isWanted && process.stderr.isTTY;
  }
}
