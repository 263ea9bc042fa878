/** A worker that has served so long, in milliseconds, ended by an accident of its own. */
const STEADY_MS = 30_000;
/** After the first early end, in milliseconds; each further one in a row doubles it. */
const FIRST_PAUSE_MS = 500;
/** So many early ends in a row are no accident: together they take half a minute or so. */
const MAX_EARLY_ENDS = 6;

/** When the place of a worker that has ended is filled again: at once, later, or never. */
export class RestartPace {
  private earlyEnds = 0;

  /**
   * @param servedMs how long it has served; 0: it did not even start
   * @returns milliseconds to wait; undefined: it is of no use to try again
   */
  pauseAfter(servedMs: number): number | undefined {
    if (servedMs >= STEADY_MS) {
      this.earlyEnds = 0;
      return 0;
    }
    this.earlyEnds += 1;
    return this.earlyEnds < MAX_EARLY_ENDS ? FIRST_PAUSE_MS * 2 ** (this.earlyEnds - 1) : undefined;
  }
}
