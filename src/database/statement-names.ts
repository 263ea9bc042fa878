import { BoundedMap } from '../common/bounded-map';

/** So many texts have a name. What is asked less often than all of them loses it. */
const MAX_NAMED = 500;
/** PostgreSQL keeps plans of these only; all else is parsed once and run. */
const PLANNED = /^\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH)\b/i;

const names = new BoundedMap<string, string>(MAX_NAMED);
let given = 0;

/**
 * The name under which a connection prepares a statement, so that PostgreSQL parses and plans it once for each connection.
 * A name stands for one text, for ever: it is not given a second time. Undefined: the text has no plan to keep.
 */
export function statementName(text: string): string | undefined {
  const known = names.get(text);
  if (known !== undefined) return known;
  if (!PLANNED.test(text)) return undefined;
  const name = `tenantry_${(given += 1)}`;
  names.set(text, name);
  return name;
}
