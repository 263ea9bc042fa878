// Better Auth as its documentation sets it up, in a database of its own.
import { hash, verify } from '@node-rs/argon2';
import { betterAuth } from 'better-auth';
import { organization } from 'better-auth/plugins';
import pg from 'pg';
import { ORIGIN } from './better-auth-requests.mjs';

/** As many as Tenantry's pool for tenants (POSTGRES_POOL_SIZE). */
const POOL_SIZE = 10;

/**
 * Sessions in the database, as is its default; passwords under the argon2id of Tenantry instead of its scrypt, so that a sign-in costs the same.
 * @param {string} connectionString
 * @param {string} secret that signs the cookies
 */
export function createBetterAuth(connectionString, secret) {
  return betterAuth({
    baseURL: ORIGIN,
    secret,
    database: new pg.Pool({ connectionString, max: POOL_SIZE }),
    emailAndPassword: {
      enabled: true,
      password: { hash: (password) => hash(password), verify: (given) => verify(given.hash, given.password) },
    },
    rateLimit: { enabled: false }, // its counter is one for each address, and all requests come from one
    telemetry: { enabled: false },
    plugins: [organization({ membershipLimit: 1_000_000 })], // it is 100 else
  });
}
