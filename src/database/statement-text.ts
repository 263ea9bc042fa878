import { createHash } from 'node:crypto';

/** A statement as logs and the API show it. */
export interface DescribedStatement {
  /** Without comments and values; of placeholders `$1` stays. At most MAX_SHOWN characters. */
  text: string;
  /** 16 hex digits: the same for the same statement, whatever its values, here and in pg_stat_statements. */
  textFingerprint: string;
}

/** What is read of a text. Where it is cut within a value, that value is left out whole. */
const MAX_READ = 20_000;
const MAX_SHOWN = 2_000;
const VALUE = '?';

/** PostgreSQL's tokens (manual, 4.1), as far as one must know them to tell values from the rest. The order matters. */
const TOKEN = new RegExp(
  [
    String.raw`(?<space>\s+|--[^\n]*)`,
    String.raw`(?<comment>/\*)`,
    String.raw`(?<escaped>e'(?:[^'\\]|\\.|'')*(?:'|\\?$))`,
    String.raw`(?<text>(?:[bxn]|u&)?'(?:[^']|'')*(?:'|$))`,
    String.raw`(?<dollar>\$(?:[\p{L}_][\p{L}\p{N}_]*)?\$)`,
    String.raw`(?<kept>"(?:[^"]|"")*(?:"|$)|\$\d+|[\p{L}_][\p{L}\p{N}_$]*)`,
    String.raw`(?<number>0(?:x[\da-f_]+|o[0-7_]+|b[01_]+)|(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:e[+-]?\d+)?)`,
    String.raw`(?<other>.)`,
  ].join('|'),
  'gisu',
);

/** A statement without its values: quoted strings and numbers become `?`, comments and superfluous space go. */
export function describeStatement(sql: string): DescribedStatement {
  const full = withoutValues(sql.slice(0, MAX_READ)).replaceAll(/\s+/g, ' ').trim();
  // What one side has as a parameter, the other may have as a constant; and lists of any length count as the same.
  const shape = full
    .replaceAll(/\$\d+/g, VALUE)
    .replaceAll(/ ?([(),=<>.]) ?/g, '$1')
    .replaceAll(/\?(?:,\?)+/g, VALUE);
  const textFingerprint = createHash('sha256').update(shape).digest('hex').slice(0, 16);
  return { text: full.length > MAX_SHOWN ? `${full.slice(0, MAX_SHOWN - 1)}…` : full, textFingerprint };
}

function withoutValues(sql: string): string {
  const parts: string[] = [];
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(sql); match; match = TOKEN.exec(sql)) {
    const [token] = match;
    const { space, comment, dollar, kept, other } = match.groups!;
    if (comment !== undefined) TOKEN.lastIndex = endOfComment(sql, match.index);
    if (dollar !== undefined) TOKEN.lastIndex = endOfQuoted(sql, token, TOKEN.lastIndex);
    if (space !== undefined || comment !== undefined) parts.push(' ');
    else parts.push(kept !== undefined || other !== undefined ? token : VALUE);
  }
  return parts.join('');
}

/** Comments nest. */
function endOfComment(sql: string, start: number): number {
  const edge = /\/\*|\*\//g;
  edge.lastIndex = start;
  let depth = 0;
  for (let match = edge.exec(sql); match; match = edge.exec(sql)) {
    depth += match[0] === '/*' ? 1 : -1;
    if (depth === 0) return edge.lastIndex;
  }
  return sql.length;
}

function endOfQuoted(sql: string, quote: string, from: number): number {
  const end = sql.indexOf(quote, from);
  return end < 0 ? sql.length : end + quote.length;
}
