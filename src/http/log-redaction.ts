import { types } from 'node:util';

/** What stands in a log in the place of a secret. */
export const REDACTED = '[redacted]';

/** Names of what must not be logged, wherever in a name they stand: `currentPassword`, `set-cookie`, `SECRET_KEY`. */
const SECRET_NAME =
  /passw(?:or)?d|passphrase|secret|token|authorization|cookie|credential|api[-_]?key|private[-_]?key|connection[-_]?string/i;
/** Parts of names that only sound like it. */
const HARMLESS_NAME = /^(?:tokenType|.*(?:expires|ttl).*)$/i;

/** In JSON within JSON a quote has backslashes before it. All repetitions are bounded: texts may be hostile. */
const QUOTE = String.raw`\\{0,4}["'\x60]`;
const NAME = String.raw`[\w.-]{0,40}(?:${SECRET_NAME.source})[\w-]{0,40}`;
/** Quoted, up to the same quote unescaped; a list or an object, up to its end; or a word. */
const VALUE = [
  String.raw`(?<plain>["'\x60])(?:\\.|(?!\k<plain>).)*(?:\k<plain>|$)`,
  String.raw`(?<escaped>\\{1,4}["'\x60])(?:(?!(?<!\\)\k<escaped>).)*(?:\k<escaped>|$)`,
  String.raw`\[[^\]]*(?:\]|$)`,
  String.raw`\{[^}]*(?:\}|$)`,
  String.raw`[^\s,;&"'\x60)\]}]+`,
].join('|');

/** Secrets that show by their form, with what takes their place. A connection string goes whole: its host is nobody's business. */
const FORMS: readonly (readonly [RegExp, string])[] = [
  [/postgres(?:ql)?:\/\/[^\s"'`<>\\]*/gi, REDACTED],
  [/(?<![a-z\d+.-])([a-z][a-z\d+.-]{0,20}:\/\/)[^\s"'`<>\\/]{0,500}@/gi, `$1${REDACTED}`],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, REDACTED],
  [/\beyJ[\w-]{5,}\.[\w-]*(?:\.[\w-]*)*/g, REDACTED], // a JSON Web Token
  [/\brt_[\w-]{20,}/g, REDACTED], // a refresh token (auth/refresh-token.ts)
  [/\$argon2\w*\$[^\s"']*/g, REDACTED],
  [/\bSCRAM-SHA-256\$[^\s"']*/g, REDACTED],
  [/\b(Bearer|Basic|Digest)\s+[\w.~+/=:-]+/gi, `$1 ${REDACTED}`],
  [/((?:authorization|cookie)["'`\\]{0,5}\s{0,5}(?:=>|[:=])\s{0,5})[^\r\n]+/gi, `$1${REDACTED}`], // to the end of the line
  [
    new RegExp(String.raw`(${QUOTE})?(\b${NAME})(\1)?\s{0,5}(=>|[:=])\s{0,5}(?:${VALUE})`, 'gis'),
    `$1$2$3$4${REDACTED}`,
  ],
];
/** No secret has a form without one of these: most texts are through with this one look. */
const MAY_HOLD_SECRET = /[:=][^/]|:\/\/|-----BEGIN|eyJ|rt_|\$|bearer|basic|digest/i;

/** What of a text is logged: more than a stack with its causes has. */
const MAX_LENGTH = 16_000;
/** How deep what is logged may be nested; what lies below is left out. */
const MAX_DEPTH = 6;

/** A text, or the first MAX_LENGTH characters of it, without what has the form of a secret, and without the given ones. */
export function withoutSecrets(text: string, known: readonly string[] = []): string {
  let clean = text;
  for (const secret of known) clean = clean.replaceAll(secret, REDACTED);
  if (clean.length > MAX_LENGTH) clean = `${clean.slice(0, MAX_LENGTH)}…`;
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
      SECRET_NAME.test(name) && !HARMLESS_NAME.test(name) ? REDACTED : redacted(value, known, depth + 1),
    ]),
  );
}

/** Anything that is logged, without its secrets. */
export function redacted(value: unknown, known: readonly string[] = [], depth = 0): unknown {
  if (typeof value === 'string') return withoutSecrets(value, known);
  if (typeof value !== 'object' || value === null) return value;
  if (depth > MAX_DEPTH) return '[…]';
  if (types.isNativeError(value)) return withoutSecretFields({ ...describeError(value) }, known, depth);
  if (value instanceof Date) return value;
  if (ArrayBuffer.isView(value)) return '[bytes]';
  if (Array.isArray(value)) return value.map((item) => redacted(item, known, depth + 1));
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
  if (!types.isNativeError(error)) {
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
  return types.isNativeError(cause) && !seen.has(cause) ? `${stack}\ncaused by: ${stackOf(cause, seen)}` : stack;
}
