import type { FastifyRequest } from 'fastify';

/** What is shorter is no secret, and would tear holes into words. */
const SHORTEST = 6;
const MAX_DEPTH = 6;
/** An error may quote a text with these escaped, so what stands between them is looked for. */
const ESCAPED = /[\p{Cc}"'\\]+/u;
/** An id is needed to find out what went wrong, and opens nothing. */
const ID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;
const MAX_VALUES = 200;

/**
 * What the caller has sent where secrets stand: in the headers that carry them, and every text of path, query and body.
 * A log of what went wrong leaves these out wherever they turn up: an error's message may quote any of it.
 */
export function secretsOf({ headers, query, params, body }: FastifyRequest): string[] {
  const { authorization = '', cookie = '' } = headers;
  const [, credentials = ''] = authorization.split(' ', 2);
  const pairs = cookie.split(/;\s*/).map((pair) => pair.slice(pair.indexOf('=') + 1));
  const found = new Set<string>([authorization, credentials, cookie, ...pairs]);
  for (const part of [query, params, body]) collect(part, found, 0);
  return [...found].filter((text) => text.length >= SHORTEST && !ID.test(text)).toSorted((a, b) => b.length - a.length);
}

function collect(value: unknown, found: Set<string>, depth: number): void {
  if (found.size >= MAX_VALUES || depth > MAX_DEPTH) return;
  if (typeof value === 'string') value.split(ESCAPED).forEach((part) => found.add(part));
  else if (typeof value === 'object' && value !== null)
    for (const item of Object.values(value)) collect(item, found, depth + 1);
}
