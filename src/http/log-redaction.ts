/** What stands in a log in the place of a secret. */
export const REDACTED = '[redacted]';

/** Names of what must not be logged, wherever in a name they stand: `currentPassword`, `set-cookie`, `SECRET_KEY`. */
const SECRET_NAME =
  /passw(?:or)?d|passphrase|secret|token|authorization|cookie|credential|api[-_]?key|private[-_]?key|connection[-_]?string/i;
/** Parts of names that only sound like it. */
const HARMLESS_NAME = /^(?:tokenType|.*(?:expires|ttl).*)$/i;

const QUOTE = String.raw`\\*["'\x60]`;
const NAME = String.raw`[\w.-]{0,40}(?:${SECRET_NAME.source})[\w-]{0,40}`;
/** Quoted up to its own kind of quote, a list up to its end, or a word. */
const VALUE = String.raw`(?:(?<quote>${QUOTE})(?:(?!\k<quote>).)*(?:\k<quote>|$)|\[[^\]]*(?:\]|$)|\{[^}]*(?:\}|$)|[^\s,;&"'\x60)\]}]+)`;

/** Secrets that show by their form, with what takes their place. A connection string goes whole: its host is nobody's business. */
const FORMS: readonly (readonly [RegExp, string])[] = [
  [/postgres(?:ql)?:\/\/[^\s"'`<>\\]*/gi, REDACTED],
  [/([a-z][a-z\d+.-]*:\/\/)[^\s"'`<>\\/]*@/gi, `$1${REDACTED}@`],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, REDACTED],
  [/\beyJ[\w-]{5,}\.[\w-]*(?:\.[\w-]*)*/g, REDACTED], // a JSON Web Token
  [/\brt_[\w-]{20,}/g, REDACTED], // a refresh token (auth/refresh-token.ts)
  [/\$argon2\w*\$[^\s"']*/g, REDACTED],
  [/\bSCRAM-SHA-256\$[^\s"']*/g, REDACTED],
  [/\b(Bearer|Basic|Digest)\s+[\w.~+/=:-]+/gi, `$1 ${REDACTED}`],
  [/((?:authorization|cookie)["'`\\]*\s*(?:=>|[:=])\s*)[^\r\n"'`}]+/gi, `$1${REDACTED}`], // whole header lines
  [new RegExp(String.raw`(${QUOTE})?(\b${NAME})(\1)?\s*(=>|[:=])\s*${VALUE}`, 'gis'), `$1$2$3$4${REDACTED}`],
];
/** No secret has a form without one of these: most texts are through with this one look. */
const MAY_HOLD_SECRET = /[:=][^/]|:\/\/|-----BEGIN|eyJ|rt_|\$|bearer|basic|digest/i;

/** How deep what is logged may be nested; what lies below is left out. */
const MAX_DEPTH = 6;

/** A text without what has the form of a secret, and without the given ones. */
export function withoutSecrets(text: string, known: readonly string[] = []): string {
  let clean = text;
  for (const secret of known) clean = clean.replaceAll(secret, REDACTED);
  if (!MAY_HOLD_SECRET.test(clean)) return clean;
  for (const [form, replacement] of FORMS) clean = clean.replaceAll(form, replacement);
  return clean;
}

/** What is logged beside a message, down to MAX_DEPTH: without what is named like a secret or has the form of one. */
export function withoutSecretFields(
  fields: Record<string, unknown>,
  known: readonly string[] = [],
  depth = 0,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      SECRET_NAME.test(name) && !HARMLESS_NAME.test(name) ? REDACTED : cleanValue(value, known, depth + 1),
    ]),
  );
}

function cleanValue(value: unknown, known: readonly string[], depth: number): unknown {
  if (typeof value === 'string') return withoutSecrets(value, known);
  if (typeof value !== 'object' || value === null) return value;
  if (depth > MAX_DEPTH) return '[…]';
  if (value instanceof Error) return withoutSecretFields({ ...describeError(value) }, known, depth);
  if (value instanceof Date) return value;
  if (ArrayBuffer.isView(value)) return '[bytes]';
  if (Array.isArray(value)) return value.map((item) => cleanValue(item, known, depth + 1));
  return withoutSecretFields(value as Record<string, unknown>, known, depth);
}

/** What a log says of an error. */
export interface DescribedError {
  type: string;
  message: string;
  /** With those of its causes, the last first cause at the end. */
  stack: string;
  code?: string;
}

/** Nothing else that an error may have: PostgreSQL's quote the row, others the request. */
export function describeError(error: unknown): DescribedError {
  if (!(error instanceof Error)) {
    const message = typeof error === 'string' ? error : `not an error, but of type ${typeof error}`;
    return { type: 'NonError', message, stack: message };
  }
  const { code } = error as { code?: unknown };
  return {
    type: error.name,
    message: error.message,
    stack: stackOf(error, new Set()),
    ...(typeof code === 'string' && { code }),
  };
}

function stackOf(error: Error, seen: Set<unknown>): string {
  seen.add(error);
  const stack = error.stack ?? `${error.name}: ${error.message}`;
  const { cause } = error;
  return cause instanceof Error && !seen.has(cause) ? `${stack}\ncaused by: ${stackOf(cause, seen)}` : stack;
}
