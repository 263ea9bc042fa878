// What all parts stand on: one database, and the candidates while they are asked.
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { seedBetterAuth } from './better-auth-seed.mjs';
import { casesAnsweredAlike } from './same-answers.mjs';
import { seed } from './seed.mjs';
import { startBetterAuth, startDatabase, startLoad, startPeer, startTenantry, startUsualStack } from './servers.mjs';

/**
 * @typedef {object} Setup
 * @property {import('./stage.mjs').Stage} stage
 * @property {import('./servers.mjs').Database} database
 * @property {Record<string, string>} urls of Tenantry's logins, of the superuser in the same database, and of Better Auth's database
 * @property {string} secretKey
 * @property {import('./cases.mjs').Targets} targets
 * @property {string} targetsFile the same in a file
 * @property {(urls: Record<string, string>) => Promise<Record<string, import('./servers.mjs').Server>>} startCandidates
 * @property {() => Promise<Serving>} serve starts the candidates once
 * @property {() => Promise<void>} stopServing
 * @property {() => Promise<void>} forgetAttempts at signing in: those that the load generator no longer waited for count as failed ones,
 *   and Tenantry refuses an address that has too many
 *
 * @typedef {object} Serving
 * @property {Record<string, import('./servers.mjs').Server>} servers
 * @property {ReturnType<typeof startLoad>} load
 * @property {import('./cases.mjs').Case[]} cases those asked for that all candidates answer alike
 */

/**
 * @param {import('./stage.mjs').Stage} stage
 * @param {{ cases: import('./cases.mjs').Case[], profile?: string }} options
 * @param {(part: string, error: Error) => void} onFailure
 * @returns {Promise<Setup>}
 */
export async function setUp(stage, options, onFailure) {
  const directory = stage.makeDirectory();
  const secretKey = randomBytes(32).toString('base64');
  const database = await stage.starting('the database', startDatabase(directory));
  const targets = await stage.step('1,000 tenants with 100 users each', seed(database.superuserUrl, secretKey));
  const betterAuth = await stage.step(
    'the same for Better Auth',
    seedBetterAuth(database.superuserUrl, secretKey, targets),
  );
  const targetsFile = path.join(directory, 'targets.json');
  writeFileSync(targetsFile, JSON.stringify(targets), { mode: 0o600 });
  const urls = { ...database.urls, superuser: database.superuserUrl, betterAuth };

  const startCandidates = (reached, profileDir) =>
    startAll(stage, { urls: reached, secretKey, dataDir: directory, profileDir });
  let serving;
  const serve = async () => {
    const servers = await startCandidates(urls, options.profile);
    const load = await stage.starting('the load generator', Promise.resolve(startLoad(targetsFile)));
    const cases = await casesAnsweredAlike(options.cases, servers, targets, onFailure);
    return { servers, load, cases };
  };
  return {
    stage,
    database,
    urls,
    secretKey,
    targets,
    targetsFile,
    startCandidates,
    serve: () => (serving ??= serve()),
    forgetAttempts: () => execute(urls.superuser, 'DELETE FROM identity.sign_in_attempts'),
    async stopServing() {
      const { servers = {}, load } = (await serving?.catch(() => undefined)) ?? {};
      await Promise.all([...Object.values(servers), ...(load ? [load] : [])].map((one) => one.stop()));
      serving = undefined;
    },
  };
}

/** All candidates, each in a process of its own. */
async function startAll(stage, options) {
  const { urls, secretKey } = options;
  const tenantry = await stage.starting('Tenantry', startTenantry(options));
  return {
    tenantry,
    peer: await stage.starting('Fastify + pg', startPeer(urls.superuser)),
    usual: await stage.starting('the usual stack', startUsualStack(urls.app, tenantry.url)),
    betterAuth: await stage.starting('Better Auth', startBetterAuth(urls.betterAuth, secretKey)),
  };
}

async function execute(connectionString, statement) {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
