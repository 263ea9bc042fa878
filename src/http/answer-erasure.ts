import type { SecretBox } from '../config/secret-box';
import type { SqlQuery } from '../database/long-transaction';
import { IDEMPOTENCY_PURPOSE } from './idempotency.repository';

/** Opened at once; an answer has at most some hundred kilobytes. */
const BATCH = 100;

interface KeptAnswer {
  id: Buffer;
  answer: Buffer;
}

/**
 * Forgets the kept answers (of POSTs with an Idempotency-Key, for 24 hours) that tell of something. Their keys stay taken, so
 * nothing is done twice: who repeats the request is told to look whether it took effect.
 * @param tellsOf decides by the text of an answer
 * @returns how many
 */
export async function eraseAnswers(
  query: SqlQuery,
  box: SecretBox,
  tellsOf: (answer: string) => boolean,
): Promise<number> {
  let erased = 0;
  for (let last = Buffer.alloc(0); ;) {
    const answers = await query<KeptAnswer>(
      `SELECT id, sealed_answer AS answer FROM identity.idempotency_keys
       WHERE id > $1 AND sealed_answer IS NOT NULL ORDER BY id LIMIT ${BATCH}`,
      [last],
    );
    const found = answers.filter(({ answer }) => tellsOf(box.open(IDEMPOTENCY_PURPOSE, answer).toString()));
    if (found.length > 0)
      await query('UPDATE identity.idempotency_keys SET status = NULL, sealed_answer = NULL WHERE id = ANY ($1)', [
        found.map(({ id }) => id),
      ]);
    erased += found.length;
    const final = answers.at(-1);
    if (!final) return erased;
    last = Buffer.from(final.id);
  }
}
