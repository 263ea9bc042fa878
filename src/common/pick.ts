/** The named properties of an answer; the id always. */
export function pick<Item extends { id: string }>(
  item: Item,
  fields: ReadonlySet<string>,
): Partial<Item> & { id: string } {
  const isPicked = (key: string): boolean => key === 'id' || fields.has(key);
  if (Object.keys(item).every(isPicked)) return item;
  return Object.fromEntries(Object.entries(item).filter(([key]) => isPicked(key))) as Partial<Item> & { id: string };
}
