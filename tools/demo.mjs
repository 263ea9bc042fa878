#!/usr/bin/env node
// `npm run demo`: fills a running Tenantry with three tenants and 200 users through its API, and prints a walk of curl
// commands (docs/walk.md). It can be run again.
import { ApiClient, ApiError } from './demo/api-client.mjs';
import { TENANTS } from './demo/data-set.mjs';
import { fill } from './demo/fill.mjs';
import { DemoError, readSettings } from './demo/settings.mjs';
import { printableWalk } from './demo/walk.mjs';

async function main() {
  const settings = await readSettings();
  const { baseUrl, administrator, password } = settings;
  console.log(`Filling Tenantry at ${baseUrl} …`);
  const api = await signIn(baseUrl, administrator);
  const changes = await fill(api, TENANTS, password, (line) => console.log(line));
  console.log(changes === 0 ? 'All of it was there already: nothing changed.' : `Done: ${changes} changes.`);
  console.log(`\nThe walk: paste it block by block.\n\n${await printableWalk(settings)}`);
}

async function signIn(baseUrl, { email, password }) {
  const api = await new ApiClient(baseUrl).signIn(email, password);
  const { platformAdministrator } = await api.send('GET', '/v1/auth/me');
  if (!platformAdministrator) throw new DemoError(`${email} is no platform administrator, so cannot create tenants.`);
  return api;
}

function inWords(error) {
  if (error instanceof DemoError) return error.message;
  if (error.name === 'AbortError') return 'Cancelled.';
  if (error instanceof ApiError && error.code === 'invalid_credentials') {
    return "The administrator's e-mail address or password is wrong: set DEMO_ADMIN_EMAIL and DEMO_ADMIN_PASSWORD.";
  }
  if (error instanceof ApiError) return error.message;
  if (error.message !== 'fetch failed') return error.stack;
  const reason = error.cause?.code ?? error.cause?.message;
  return `Tenantry cannot be reached (${reason}). Start it with npm start, or set BASE_URL to where it runs.`;
}

main().catch((error) => {
  console.error(inWords(error));
  process.exitCode = 1;
});
