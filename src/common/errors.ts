/** One fault in the caller's input. `pointer` is a JSON pointer into the body (RFC 6901), or `/query/limit`, `/path/roleId`, `/header/if-match`. */
export interface FieldError {
  pointer: string;
  code: string;
  message: string;
}

/**
 * What services throw. `code` is stable and part of the contract (docs/errors.md); only http/problem.filter.ts knows
 * which status each kind becomes.
 */
export abstract class DomainError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly errors: readonly FieldError[] = [],
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Who the caller is cannot be told. */
export class UnauthenticatedError extends DomainError {
  constructor(code = 'unauthenticated', message = 'Sign in first: send a valid access token as a bearer token.') {
    super(code, message);
  }
}

/** The caller is known and may not do this. */
export class ForbiddenError extends DomainError {}

/** There is no such thing, or not for this caller: the words are the same, so that nobody can tell which. */
export class NotFoundError extends DomainError {
  constructor(what: string) {
    super('not_found', `There is no such ${what}.`);
  }
}

/** The request contradicts what is stored. */
export class ConflictError extends DomainError {}

/** The input can be read, and is wrong. */
export class InvalidInputError extends DomainError {
  constructor(errors: readonly FieldError[], code = 'invalid_input') {
    super(code, errors.map((error) => error.message).join(' '), errors);
  }
}

/** The resource has changed since the caller read it. */
export class PreconditionFailedError extends DomainError {
  constructor() {
    super(
      'version_mismatch',
      'The resource has changed since you read it. Read it again and repeat with its new ETag.',
    );
  }
}

/** The operation must say which version of the resource it means. */
export class PreconditionRequiredError extends DomainError {
  constructor() {
    super('if_match_required', "Send the resource's ETag in If-Match, so that nobody else's change is lost.");
  }
}

/** Too many tries; the same request may succeed after `retryAfterSeconds`. */
export class TooManyRequestsError extends DomainError {
  constructor(
    code: string,
    message: string,
    readonly retryAfterSeconds: number,
  ) {
    super(code, message);
  }
}

/** Tenantry or its database cannot answer now. */
export class UnavailableError extends DomainError {
  constructor(
    code: string,
    message: string,
    readonly retryAfterSeconds = 1,
    options?: ErrorOptions,
  ) {
    super(code, message, [], options);
  }
}

/** Tenantry cannot start. Its message says why and what to do, and is all that the operator sees. */
export class StartupError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StartupError';
  }
}

/** Something else is in the way, such as a running server or the same work under way. Nothing was done; the message says what to do. */
export class BusyError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BusyError';
  }
}
