import { pick } from '../common/pick';
import { permittedFields } from './ability';
import type { Actor } from './actor';
import type { TenantSubject } from './permissions';

/**
 * An answer without what the actor may not read, and with what was asked for only.
 * @param row what the answer was made of: conditions are checked against it
 * @param asked the `?fields` of the request; undefined: all
 */
export function visible<Item extends { id: string }>(
  actor: Actor,
  subject: TenantSubject,
  row: object,
  item: Item,
  asked?: readonly string[],
): Partial<Item> & { id: string } {
  const permitted = permittedFields(actor.ability, 'read', subject, row);
  return pick(item, asked ? new Set(asked.filter((field) => permitted.has(field))) : permitted);
}
