import { newId } from '../../src/common/id';
import { PasswordsService } from '../../src/credentials/passwords.service';
import type { ApiClient } from './api-client';
import { newAddress, newPassword, type Person, type TestApp, type Tokens } from './app';

/** An account, in no tenant yet. */
export interface Account extends Person {
  id: string;
}

interface AccountOptions {
  /** null: an account that has none yet */
  password?: null;
  status?: 'active' | 'disabled';
  isAdministrator?: boolean;
}

/** A session, with a client that carries its access token. */
export interface SessionOfAccount extends Tokens {
  id: string;
  client: ApiClient;
}

let people = 0;

/** Makes an account beneath the API, which makes accounts only within a tenant. */
export async function newAccount(app: TestApp, options: AccountOptions = {}): Promise<Account> {
  const account = {
    id: newId(),
    email: `person-${++people}@account.test`,
    name: `Wilhelmina Person ${people}`,
    password: newPassword(),
  };
  await app.database.query(
    'admin',
    'INSERT INTO identity.users (id, email, name, status, platform_role) VALUES ($1, $2, $3, $4, $5)',
    [
      account.id,
      account.email,
      account.name,
      options.status ?? 'active',
      options.isAdministrator ? 'administrator' : null,
    ],
  );
  if (options.password !== null) {
    await app.database.query('admin', 'INSERT INTO identity.credentials (user_id, password_hash) VALUES ($1, $2)', [
      account.id,
      await app.nest.get(PasswordsService).hash(account.password),
    ]);
  }
  return account;
}

/** Signs in over the API; `address` and `userAgent` are what the session shows. */
export async function newSession(
  app: TestApp,
  { email, password }: Pick<Account, 'email' | 'password'>,
  { address = newAddress(), userAgent = 'Test' } = {},
): Promise<SessionOfAccount> {
  const stranger = app.anonymous(address).with({ 'user-agent': userAgent });
  const { body: tokens } = await stranger.post<Tokens>('/v1/auth/login', { email, password }).expect(200);
  return { ...tokens, id: claimsOf(tokens.accessToken).sid, client: bearer(app, tokens.accessToken) };
}

/** A client with this token, from an address of its own. */
export function bearer(app: TestApp, token: string): ApiClient {
  return app.anonymous().with({ authorization: `Bearer ${token}` });
}

/** What an access token says, unverified. */
export function claimsOf(accessToken: string): { sub: string; sid: string } {
  return JSON.parse(Buffer.from(accessToken.split('.')[1]!, 'base64url').toString()) as { sub: string; sid: string };
}
