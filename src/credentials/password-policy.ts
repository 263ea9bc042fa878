import type { FieldError } from '../common/errors';
import { isStorableText } from '../common/text';

/** NIST SP 800-63B-4, 3.1.1.2: at least 15 characters where the password is the only factor. */
export const MIN_PASSWORD_LENGTH = 15;
/** NIST asks to accept 64 and more. The bound is there for the cost of looking at it. */
export const MAX_PASSWORD_LENGTH = 128;

/**
 * zxcvbn's scores: 4 is beyond 10^10 guesses, 3 beyond 10^8. Of 15 characters and more, phrases of three unrelated words
 * reach 10^13; "password password" and "thisismypassword" stay near 10^8, hence 4.
 */
const MIN_SCORE = 4;
/** What is left of a password without the words that everybody knows of its owner. */
const MIN_IMPERSONAL_SCORE = 3;

/** A shorter word is no help in guessing, and could stand in any password by chance. */
const MIN_PERSONAL_WORD_LENGTH = 3;
const PRODUCT_WORDS = ['tenantry'];
/** The form in which passwords are counted, judged and hashed, so that a keyboard's way to compose "é" makes no difference. */
export function normalizePassword(password: string): string {
  return password.normalize('NFKC');
}

/**
 * What is wrong with a new password, or undefined. There are no composition rules, and nothing is cut off.
 * @param personal what everybody knows of its owner: e-mail address, name, names of tenants
 */
export function findPasswordFault(
  password: string,
  personal: readonly string[],
  pointer: string,
): FieldError | undefined {
  if (!isStorableText(password)) {
    return { pointer, code: 'unstorable_text', message: 'The password must not contain NUL or lone surrogates.' };
  }
  const normalized = normalizePassword(password);
  const length = Array.from(normalized).length; // code points, as NIST counts
  if (length < MIN_PASSWORD_LENGTH) {
    return {
      pointer,
      code: 'password_too_short',
      message: `The password must have at least ${MIN_PASSWORD_LENGTH} characters.`,
    };
  }
  if (length > MAX_PASSWORD_LENGTH) {
    return {
      pointer,
      code: 'password_too_long',
      message: `The password must have at most ${MAX_PASSWORD_LENGTH} characters.`,
    };
  }
  if (isGuessable(normalized, personalWords(personal))) {
    return {
      pointer,
      code: 'weak_password',
      message:
        'This password is easy to guess. A few unrelated words make a good one; names, dates and rows of keys do not.',
    };
  }
  return undefined;
}

function isGuessable(password: string, words: string[]): boolean {
  // oxlint-disable-next-line typescript/no-require-imports -- loaded only where a password is chosen
  const { estimator } = require('./password-estimator') as typeof import('./password-estimator');
  if (estimator.check(password, words).score < MIN_SCORE) return true;
  const impersonal = without(password.toLowerCase(), words);
  return impersonal.length < password.length && estimator.check(impersonal).score < MIN_IMPERSONAL_SCORE;
}

/** Whole values and their parts, longest first, so that removing a part never leaves scraps of the whole. */
function personalWords(personal: readonly string[]): string[] {
  const values = [...personal, ...PRODUCT_WORDS].map((value) => normalizePassword(value).toLowerCase());
  const words = values.flatMap((value) => [value, ...value.split(/[^\p{L}\p{N}]+/u)]);
  return [...new Set(words)]
    .filter((word) => word.length >= MIN_PERSONAL_WORD_LENGTH)
    .toSorted((one, other) => other.length - one.length);
}

function without(text: string, words: readonly string[]): string {
  return words.reduce((rest, word) => rest.replaceAll(word, ''), text);
}
