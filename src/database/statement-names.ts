import { createHash } from 'node:crypto';
import { BoundedMap } from '../common/bounded-map';

/** So many texts have a name. What is asked less often than all of them loses it. */
const MAX_NAMED = 500;
/** PostgreSQL keeps plans of these only; all else is parsed once and run. */
const PLANNED = /^\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH)\b/i;

/** 128 bits of SHA-256: no two texts share them. PostgreSQL cuts names off at 63 characters. */
const DIGITS = 32;

const names = new BoundedMap<string, string>(MAX_NAMED);

/**
 * The name under which a connection prepares a statement, so that PostgreSQL parses and plans it once for each connection.
 * It follows from the text alone, so that nobody could ever run another statement under it, not even where a pooler that knows
 * nothing of names lets several processes share a connection. Undefined: the text has no plan to keep.
 */
export function statementName(text: string): string | undefined {
  const known = names.get(text);
  if (known !== undefined) return known;
  if (!PLANNED.test(text)) return undefined;
  const name = `tenantry_${createHash('sha256').update(text).digest('hex').slice(0, DIGITS)}`;
  names.set(text, name);
  return name;
}
