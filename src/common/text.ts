/** The form in which names are compared, sorted and searched: compatibility-composed (NFKC), lower case, single spaces. */
export function normalizeName(name: string): string {
  return name.normalize('NFKC').toLowerCase().replace(/\s+/gu, ' ').trim();
}

/** The form in which e-mail addresses are stored and compared. Local parts differ by case in theory (RFC 5321, 2.4), never in practice. */
export function normalizeEmail(email: string): string {
  return email.normalize('NFKC').trim().toLowerCase();
}

/** True when PostgreSQL can store the text and JSON can carry it: no NUL, no lone surrogate. */
export function isStorableText(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}
