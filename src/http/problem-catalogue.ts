/**
 * Every problem that a route can answer: its status, and what its `detail` says (an example of it, where that depends on
 * the request). The OpenAPI document and docs/errors.md are made of it; a test compares it with the code that throws.
 */
export const PROBLEMS = {
  malformed_request: [400, 'The request cannot be read: its JSON or its headers are malformed.'],

  unauthenticated: [401, 'Sign in first: send a valid access token as a bearer token.'],
  invalid_token: [401, 'This access token is not valid.'],
  token_expired: [401, 'This access token has expired. Refresh it.'],
  session_ended: [401, 'This session has ended. Sign in again.'],
  invalid_credentials: [401, 'The e-mail address or the password is wrong.'],
  invalid_refresh_token: [401, 'This refresh token is not valid. Sign in again.'],
  refresh_token_reused: [401, 'This refresh token was used before, so its session was ended. Sign in again.'],

  permission_missing: [403, 'You lack the permission to read User.'],
  field_not_permitted: [403, 'You may not update "name" of this User.'],
  permission_not_held: [403, 'Nobody grants what they do not hold.'],
  system_role: [403, 'System roles cannot be changed. Make a role of your own.'],
  tenant_suspended: [403, 'This tenant is suspended.'],
  membership_suspended: [403, 'Your membership in this tenant is suspended.'],
  account_disabled: [403, 'This account is disabled. Ask an administrator of the platform.'],

  not_found: [404, 'There is no such user.'],
  route_not_found: [404, 'There is no such route.'],
  method_not_allowed: [405, 'This route does not know this method.'],
  request_timeout: [408, 'The request took too long to arrive.'],

  slug_taken: [409, 'Another tenant has this slug.'],
  role_name_taken: [409, 'Another role of this tenant has this name.'],
  role_in_use: [409, 'Users still hold this role. Take it from them first.'],
  user_exists: [409, 'This person is a user of the tenant already.'],
  account_exists: [409, 'This person has an account already and keeps its password. Leave the password out.'],
  last_owner: [409, 'A tenant keeps at least one active owner without an end. Make somebody else an owner first.'],
  last_administrator: [409, 'The last active administrator of the platform cannot be disabled.'],
  password_changed: [409, 'The password was changed meanwhile. Sign in again.'],
  backups_not_configured: [409, 'This application has no backups to restore from (BACKUP_DIR).'],
  tenant_restore_running: [409, 'A restore of this tenant is under way. Wait for its end.'],
  restore_not_undoable: [409, 'Only a restore in place can be undone, once and until its undo has expired.'],
  restore_written_since: [
    409,
    'The tenant was written to after the restore, and the undo would lose that: app.roles: 1 new, 0 changed, 0 removed.',
  ],
  idempotency_key_in_use: [
    409,
    'A request with this Idempotency-Key is running, or ended without our knowing how. Look whether it took effect.',
  ],

  version_mismatch: [412, 'The resource has changed since you read it. Read it again and repeat with its new ETag.'],
  body_too_large: [413, 'The body is larger than 1 MiB.'],
  uri_too_long: [414, 'The URL is too long.'],
  unsupported_media_type: [415, 'Send application/json, or application/merge-patch+json with PATCH.'],

  invalid_input: [422, 'limit must not be greater than 100.'],
  invalid_cursor: [422, 'This cursor is not one of this list in this order. Start again without it.'],
  idempotency_key_reused: [422, 'This Idempotency-Key was used with another body. Use a new one.'],
  weak_password: [
    422,
    'This password is easy to guess. A few unrelated words make a good one; names, dates and rows of keys do not.',
  ],
  wrong_password: [422, 'This is not your current password.'],
  statement_not_plannable: [
    422,
    'This statement cannot be planned: only those of the serving logins can be, it is of postgres.',
  ],
  confirmation_mismatch: [422, 'confirm is not the slug of this tenant. Nothing was erased.'],
  own_password: [422, 'Change your own password with PUT /v1/auth/password: it asks for the current one.'],

  if_match_required: [428, "Send the resource's ETag in If-Match, so that nobody else's change is lost."],
  too_many_requests: [429, 'Too many requests. Try again later.'],
  too_many_attempts: [429, 'Too many failed attempts. Try again later.'],
  headers_too_large: [431, 'The headers are too large.'],

  internal_error: [500, 'Something went wrong on our side. Name the request id when you report it.'],
  too_busy: [503, 'All database connections are busy. Try again.'],
  database_unavailable: [503, 'The database cannot be reached. Try again.'],
  backups_unavailable: [503, 'The backup login cannot connect. Try again.'],
  signing_keys_unavailable: [503, 'The signing keys cannot be read. Try again.'],
  statistics_unavailable: [503, "The database's statistics cannot be read. Try again."],
  not_ready: [503, 'This instance cannot serve now.'],
  request_abandoned: [503, 'The caller has gone.'],
  shutting_down: [503, 'This instance is shutting down. Try again.'],
  database_timeout: [504, 'The database took too long. Try again.'],
} as const satisfies Record<string, readonly [status: number, detail: string]>;

export type ProblemCode = keyof typeof PROBLEMS;

/** The problems of one status, in their order. */
export function problemsOfStatus(status: number): ProblemCode[] {
  return (Object.keys(PROBLEMS) as ProblemCode[]).filter((code) => PROBLEMS[code][0] === status);
}
