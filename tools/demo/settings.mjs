import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';

const DEFAULT_BASE_URL = 'http://127.0.0.1:3000';
const DEFAULT_ADMIN_EMAIL = 'admin@tenantry.localhost';
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** Of the people who sign in. It stands in the repository, so it is for one's own machine only. */
export const DEMO_PASSWORD = 'copper violin thunder lagoon';

/** What the demo cannot go on without; its message says what to do. */
export class DemoError extends Error {}

/**
 * Where Tenantry runs, and who fills it. BASE_URL, DEMO_ADMIN_EMAIL and DEMO_ADMIN_PASSWORD (or BOOTSTRAP_ADMIN_…, also of
 * `.env`), DEMO_PASSWORD; the administrator's password is asked for on a terminal.
 * @throws {DemoError} when something is missing, or the demo's known password would stand open to others
 */
export async function readSettings() {
  if (existsSync('.env')) process.loadEnvFile('.env');
  const { env } = process;
  const baseUrl = (env.BASE_URL || DEFAULT_BASE_URL).replace(/\/$/, '');
  if (!URL.canParse(baseUrl)) throw new DemoError('BASE_URL must be a URL, for example http://127.0.0.1:3000.');
  if (!env.DEMO_PASSWORD && !LOOPBACK.test(new URL(baseUrl).hostname)) {
    throw new DemoError(
      `${baseUrl} is not this machine, and everybody knows the demo's password.\nSet DEMO_PASSWORD to one of your own.`,
    );
  }
  const email = env.DEMO_ADMIN_EMAIL || env.BOOTSTRAP_ADMIN_EMAIL || DEFAULT_ADMIN_EMAIL;
  const password = env.DEMO_ADMIN_PASSWORD || env.BOOTSTRAP_ADMIN_PASSWORD || (await askForPassword(email));
  return { baseUrl, administrator: { email, password }, password: env.DEMO_PASSWORD || DEMO_PASSWORD };
}

/** The password is not shown while it is typed. */
async function askForPassword(email) {
  if (!process.stdin.isTTY) {
    throw new DemoError(
      'Set DEMO_ADMIN_PASSWORD (and DEMO_ADMIN_EMAIL) to those of a platform administrator: the first start of Tenantry prints them.',
    );
  }
  let isMuted = false;
  const output = new Writable({
    write(chunk, _encoding, done) {
      if (!isMuted) process.stdout.write(chunk);
      done();
    },
  });
  const terminal = createInterface({ input: process.stdin, output, terminal: true });
  const question = terminal.question(`Password of ${email}: `);
  isMuted = true;
  try {
    return await question;
  } finally {
    terminal.close();
    process.stdout.write('\n');
  }
}
