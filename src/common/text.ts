/** In UTF-16 units. Composing for compatibility can make one character eighteen; an index or a cursor cannot hold that. */
const MAX_KEY_LENGTH = 200;

/**
 * The form in which names are compared, sorted and searched: compatibility-composed (NFKC), lower case, single spaces.
 * Lower case has two sigmas, one for the end of a word; the beginning of a word must be found whichever it ends in.
 */
export function normalizeName(name: string): string {
  const key = name.normalize('NFKC').toLowerCase().replaceAll('ς', 'σ').replace(/\s+/gu, ' ').trim();
  const cut = key.slice(0, MAX_KEY_LENGTH);
  return cut.isWellFormed() ? cut : cut.slice(0, -1); // between the halves of a surrogate pair
}

/** The form in which e-mail addresses are stored and compared. Local parts differ by case in theory (RFC 5321, 2.4), never in practice. */
export function normalizeEmail(email: string): string {
  return email.normalize('NFKC').trim().toLowerCase();
}

/** True when PostgreSQL can store the text and JSON can carry it: no NUL, no lone surrogate. */
export function isStorableText(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}
