/** The named properties of an answer; the id always. */
export function pick<Item extends { id: string }>(
  item: Item,
  fields: ReadonlySet<string>,
): Partial<Item> & { id: string } {
  return Object.fromEntries(
    Object.entries(item).filter(([key]) => key === 'id' || fields.has(key)),
  ) as Partial<Item> & { id: string };
}
