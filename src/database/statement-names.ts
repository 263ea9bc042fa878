/** So many texts have a name. What is asked less often than all of them loses it. */
const MAX_NAMED = 500;
/** PostgreSQL keeps plans of these only; all else is parsed once and run. */
const PLANNED = /^\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH)\b/i;

/** By their texts; the one used longest ago comes first. */
const names = new Map<string, string>();
let given = 0;

/**
 * The name under which a connection prepares a statement, so that PostgreSQL parses and plans it once for each connection.
 * A name stands for one text, for ever: it is not given a second time. Undefined: the text has no plan to keep.
 */
export function statementName(text: string): string | undefined {
  const known = names.get(text);
  if (known !== undefined) {
    names.delete(text);
    names.set(text, known);
    return known;
  }
  if (!PLANNED.test(text)) return undefined;
  if (names.size >= MAX_NAMED) names.delete(names.keys().next().value!);
  const name = `tenantry_${(given += 1)}`;
  names.set(text, name);
  return name;
}
