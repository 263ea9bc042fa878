// Starts what is measured: the database, Tenantry and those beside it, each in a process of its own.
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { DIST, program } from './program.mjs';

/**
 * @typedef {object} Server
 * @property {string} url
 * @property {number} pid
 * @property {() => Promise<void>} stop
 *
 * @typedef {object} Database
 * @property {Record<string, string>} urls of Tenantry's logins
 * @property {string} superuserUrl of the same database
 * @property {string} dataDir PGDATA
 * @property {() => Promise<void>} stop
 */

const DATABASE = 'tenantry';
const KILL_AFTER_MS = 10_000;
const KEPT_OUTPUT = 4_000;

/**
 * A migrated, empty database with default settings: durable commits, 128 MB of shared buffers.
 * @returns {Promise<Database>}
 */
export async function startDatabase(dataDir) {
  const { startEmbeddedPostgres } = program('database/embedded-postgres');
  const { bootstrapDatabase } = program('database/logins');
  const { deployMigrations } = program('database/migrations');
  const server = await startEmbeddedPostgres({ dataDir });
  try {
    const { urls } = await bootstrapDatabase(server.adminUrl(), { database: DATABASE });
    await deployMigrations(urls.owner);
    return { urls, superuserUrl: server.adminUrl(DATABASE), dataDir: server.dataDir, stop: () => server.stop() };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/**
 * The built application as `npm start` runs it in production.
 * @param {{ urls: Record<string, string>, secretKey: string, dataDir: string, profileDir?: string, env?: Record<string, string> }} options
 *   profileDir: where Node writes a CPU profile when it stops; env: further variables
 * @returns {Promise<Server>}
 */
export async function startTenantry({ urls, secretKey, dataDir, profileDir, env = {} }) {
  const profiling = profileDir ? ['--cpu-prof', '--cpu-prof-dir', profileDir] : [];
  const child = spawn(process.execPath, [...profiling, path.join(DIST, 'main.js')], {
    cwd: dataDir, // where no .env lies
    env: {
      PATH: process.env.PATH,
      NODE_ENV: 'production',
      PORT: '0',
      DATA_DIR: dataDir,
      POSTGRES_URL: urls.app,
      POSTGRES_PLATFORM_URL: urls.platform,
      SECRET_KEY: secretKey,
      LOG_LEVEL: 'warn', // no peer writes a line for each request
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const url = await new Promise((resolve, reject) => {
    const read = (chunk) => {
      output = (output + chunk).slice(-KEPT_OUTPUT);
      const found = /^ {2}API +(\S+)\/v1$/m.exec(output);
      if (found) resolve(found[1]);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('exit', (code) => reject(new Error(`Tenantry ended with ${code} instead of starting:\n${output}`)));
  });
  return { url, pid: child.pid, stop: () => stopProcess(child) };
}

/** @returns {Promise<Server>} */
export const startPeer = (postgresUrl) => startProgram('peer.mjs', { POSTGRES_URL: postgresUrl });

/** @param {string} issuerUrl of a Tenantry whose signing keys it takes at start. @returns {Promise<Server>} */
export const startUsualStack = (postgresUrl, issuerUrl) =>
  startProgram('usual-stack.mjs', { POSTGRES_URL: postgresUrl, JWKS_URL: `${issuerUrl}/.well-known/jwks.json` });

/** @param {string} secret that signs its cookies. @returns {Promise<Server>} */
export const startBetterAuth = (postgresUrl, secret) =>
  startProgram('better-auth.mjs', { POSTGRES_URL: postgresUrl, BETTER_AUTH_SECRET: secret });

/** One of this folder, which sends its URL once it listens. */
async function startProgram(file, env) {
  const child = fork(path.join(import.meta.dirname, file), {
    env: { PATH: process.env.PATH, NODE_ENV: 'production', ...env },
  });
  const { url } = await answerOf(child);
  return { url, pid: child.pid, stop: () => stopProcess(child) };
}

/**
 * The load generator.
 * @param {string} targetsFile of a Targets in JSON
 * @param {string} [orders] the module that makes requests of them
 */
export function startLoad(targetsFile, orders = './candidates.mjs') {
  const child = fork(path.join(import.meta.dirname, 'load.mjs'), [targetsFile, orders]);
  return {
    /**
     * @param {{ caseName: string, candidate: string, url: string, connections?: number, perSecond?: number, seconds: number }} order
     * @returns {Promise<import('./load.mjs').Measurement>}
     */
    async measure(order) {
      const answer = answerOf(child);
      child.send(order);
      const { measurement, error } = await answer;
      if (error) throw new Error(`The load generator failed: ${error}`);
      return measurement;
    },
    stop: () => stopProcess(child),
  };
}

/**
 * A part beneath HTTP, in a process of its own.
 * @param {string} part
 * @param {import('./setup.mjs').Setup} setup
 * @returns {Promise<{ figures: object, comparisons: import('./aims.mjs').Comparison[] }>}
 */
export async function runBeneathHttp(part, { stage, urls, targetsFile }) {
  const child = fork(path.join(import.meta.dirname, 'beneath-http.mjs'), [part, targetsFile], {
    env: { PATH: process.env.PATH, NODE_ENV: 'production', BENCH_URLS: JSON.stringify(urls) },
  });
  const answer = answerOf(child);
  await stage.starting(part, Promise.resolve({ stop: () => stopProcess(child) }));
  const { figures, comparisons, error } = await answer;
  if (error) throw new Error(error);
  return { figures, comparisons };
}

/** The next message of a child. @throws Error when it ends before */
async function answerOf(child) {
  const given = new AbortController();
  const { signal } = given;
  try {
    return await Promise.race([
      once(child, 'message', { signal }).then(([message]) => message),
      once(child, 'exit', { signal }).then(([code]) => {
        throw new Error(`${child.spawnargs.slice(0, 2).join(' ')} ended with ${code}.`);
      }),
    ]);
  } finally {
    given.abort();
  }
}

/** Asks the process to stop and waits; kills it when it does not. */
async function stopProcess(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  const timer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
  child.kill('SIGTERM');
  await exit;
  clearTimeout(timer);
}
