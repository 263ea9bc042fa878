import { asDomainError } from '../database/database-errors';
import { DomainError } from '../common/errors';

/** Why a check failed, in the contract's words: what a driver says may name hosts and logins. */
export function reasonOf(error: unknown): string {
  const known = asDomainError(error);
  return known instanceof DomainError ? known.code : 'failed';
}

/** What an indicator says that has nothing to look at: there is no monitor login. */
export const NOT_CONFIGURED = 'not configured';

/** What it says when the server does not answer under the monitor login. Requests do not need that, so nothing is down. */
export const UNREADABLE = 'cannot be read';
