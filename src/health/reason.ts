import { asDomainError } from '../database/database-errors';
import { DomainError } from '../common/errors';

/** Why a check failed, in the contract's words: what a driver says may name hosts and logins. */
export function reasonOf(error: unknown): string {
  const known = asDomainError(error);
  return known instanceof DomainError ? known.code : 'failed';
}
