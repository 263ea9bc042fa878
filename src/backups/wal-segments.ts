/** A segment of the write-ahead log: a file of `segmentBytes` (16 MiB unless initdb was told otherwise). */
export interface WalSegment {
  timeline: number;
  /** Counted from the log's beginning. */
  number: bigint;
}

/** initdb's default; every cluster of ours has it. */
export const SEGMENT_BYTES = 16 * 1024 * 1024;

const HEX_DIGITS = 8;
const LOG_BYTES = 0x1_0000_0000n;

/** PostgreSQL's name of it: timeline, "log", segment in the log, each of eight hexadecimal digits. */
export function nameOfSegment({ timeline, number }: WalSegment, segmentBytes: number): string {
  const perLog = LOG_BYTES / BigInt(segmentBytes);
  return [BigInt(timeline), number / perLog, number % perLog].map(hex).join('');
}

/** @returns undefined when it is no segment's name */
export function segmentOfName(name: string, segmentBytes: number): WalSegment | undefined {
  const parts = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})$/.exec(name);
  if (!parts) return undefined;
  const [timeline, log, segment] = parts.slice(1).map((part) => BigInt(`0x${part}`)) as [bigint, bigint, bigint];
  return { timeline: Number(timeline), number: log * (LOG_BYTES / BigInt(segmentBytes)) + segment };
}

/** The segment's number that a position lies in. */
export const numberAt = (position: bigint, segmentBytes: number): bigint => position / BigInt(segmentBytes);

export const startOf = (number: bigint, segmentBytes: number): bigint => number * BigInt(segmentBytes);

/** The name of the file that says where a timeline has left the one before it. */
export const nameOfHistory = (timeline: number): string => `${hex(BigInt(timeline))}.history`;

const hex = (part: bigint): string => part.toString(16).toUpperCase().padStart(HEX_DIGITS, '0');
