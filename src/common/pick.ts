/** The named properties of an answer; the id always. */
export function pick<Item extends { id: string }>(
  item: Item,
  fields: ReadonlySet<string>,
): Partial<Item> & { id: string } {
  const picked: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(item)) {
    if (key === 'id' || fields.has(key)) picked[key] = value;
  }
  return picked as Partial<Item> & { id: string };
}
