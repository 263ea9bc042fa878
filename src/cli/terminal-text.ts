/** Text for a terminal: numbers for people, small plots, columns. */

const BLOCKS = [...'▁▂▃▄▅▆▇█'];
/** An eighth of a block each. */
const PARTIAL_BLOCKS = ['', ...'▏▎▍▌▋▊▉'];
const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
const DURATIONS: [unit: string, seconds: number][] = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
];

/** `12.3 MB`, by 1024. */
export function formatBytes(bytes: number): string {
  const sign = bytes < 0 ? '-' : '';
  let [value, unit] = [Math.abs(bytes), 0];
  while (value >= 1023.95 && unit < BYTE_UNITS.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${sign}${unit === 0 ? value : value.toFixed(1)} ${BYTE_UNITS[unit]}`;
}

/** `+1.2 MB a day`; null: `not known yet`. */
export function formatGrowth(bytesPerDay: number | null): string {
  if (bytesPerDay === null) return 'not known yet';
  return `${bytesPerDay >= 0 ? '+' : ''}${formatBytes(bytesPerDay)} a day`;
}

/** The two largest units: `3 d 4 h`, `12 s`; below a second milliseconds. */
export function formatDuration(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  let rest = Math.round(seconds);
  const parts: string[] = [];
  for (const [unit, size] of DURATIONS) {
    const count = Math.floor(rest / size);
    if (count > 0 && parts.length < 2) parts.push(`${count} ${unit}`);
    else if (parts.length > 0) break;
    rest -= count * size;
  }
  return parts.join(' ');
}

/** `2026-11-23 13:05 UTC` */
export function formatTime(moment: Date): string {
  return `${moment.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/**
 * One character for each value, the least as the lowest block and the greatest as the highest; equal ones are all low.
 * More than `width` values are thinned out, the last one kept.
 */
export function sparkline(values: readonly number[], width: number): string {
  const shown = values.length <= width ? values : thinOut(values, width);
  const least = Math.min(...shown);
  const span = Math.max(...shown) - least;
  return shown
    .map((value) => BLOCKS[span === 0 ? 0 : Math.round(((value - least) / span) * (BLOCKS.length - 1))])
    .join('');
}

function thinOut(values: readonly number[], width: number): number[] {
  return Array.from({ length: width }, (_, place) => values[Math.round((place * (values.length - 1)) / (width - 1))]!);
}

/** A bar of at most `width` characters, as long as the share (0 to 1) of it; what is not nothing is to be seen. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(Math.max(share, 0), 1) * width * 8);
  const seen = share > 0 ? Math.max(eighths, 1) : 0;
  return ('█'.repeat(Math.floor(seen / 8)) + PARTIAL_BLOCKS[seen % 8]!).padEnd(width);
}

/** Nothing in it can steer the terminal: names and statements are other people's words. At most `width` characters. */
export function plain(text: string, width: number): string {
  const clean = text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
  return clean.length > width ? `${clean.slice(0, width - 1)}…` : clean;
}

/** Rows in columns, two spaces between them. Columns whose name begins with `>` are aligned to the right. */
export function columns(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const names = head.map((name) => name.replace(/^>/, ''));
  const widths = names.map((name, place) => Math.max(name.length, ...rows.map((row) => row[place]!.length)));
  return [names, ...rows].map((row) =>
    row
      .map((cell, place) =>
        head[place]!.startsWith('>') ? cell.padStart(widths[place]!) : cell.padEnd(widths[place]!),
      )
      .join('  ')
      .trimEnd(),
  );
}
