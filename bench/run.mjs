// npm run bench: measures Tenantry against its peer. docs/benchmark.md says what, how, and what it means.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import pg from 'pg';
import { CASES } from './cases.mjs';
import { cpuOfPostgres, cpuOfProcess } from './cpu.mjs';
import { ROOT } from './program.mjs';
import { RESULTS, writeReport } from './report.mjs';
import { seed, TENANTS, USERS_PER_TENANT } from './seed.mjs';
import { startDatabase, startLoad, startPeer, startTenantry } from './servers.mjs';

const USAGE = `npm run bench [-- options]

Measures Tenantry against a plain Fastify + pg server on a database of its own, and writes ${path.relative(ROOT, RESULTS)}/latest.{json,md}.

  --seconds <n>      of each measurement (2)
  --rounds <n>       (3)
  --connections <n>  (8)
  --warm-up <n>      seconds of each case and candidate (3), until code is compiled and connections are open
  --cases <names>    only these, comma separated, and without writing the report: ${CASES.map(({ name }) => name).join(', ')}
  --profile <dir>    writes a CPU profile of Tenantry there`;

/** In which a server finishes what the load generator no longer waited for. */
const SETTLE_MS = 200;

/** What to undo, in the order in which it was done. */
const undo = [];
let cleaningUp;

async function main() {
  const options = readOptions();
  if (!options) return console.log(USAGE);
  const directory = makeDirectory();
  const secretKey = randomBytes(32).toString('base64');

  const database = await starting('the database', startDatabase(directory));
  const targets = await step('1,000 tenants with 100 users each', seed(database.superuserUrl, secretKey));
  const targetsFile = path.join(directory, 'targets.json');
  writeFileSync(targetsFile, JSON.stringify(targets), { mode: 0o600 });

  const tenantryOptions = { urls: database.urls, secretKey, dataDir: directory, profileDir: options.profile };
  const servers = {
    tenantry: await starting('Tenantry', startTenantry(tenantryOptions)),
    peer: await starting('its peer', startPeer(database.superuserUrl)),
  };
  const load = await starting('the load generator', Promise.resolve(startLoad(targetsFile)));
  await step('one request of each kind', assertSameAnswers(options.cases, servers, targets));

  const environment = await environmentOf(database.superuserUrl);
  const samples = await measureAll(options, servers, load, database);
  environment.loadAverage.push(loadavg()[0]); // ours alone comes to about 3
  const markdown = options.isComplete ? writeReport(environment, options, samples) : undefined;
  if (markdown) console.log(`\n${markdown}`);
  const faulty = samples.filter(({ errors }) => errors > 0);
  for (const { case: name, candidate, errors, unexpected } of faulty) {
    console.error(`${candidate}, ${name}: ${errors} errors (${unexpected.join(', ')})`);
  }
  if (faulty.length > 0) process.exitCode = 1;
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '2' },
      rounds: { type: 'string', default: '3' },
      connections: { type: 'string', default: '8' },
      'warm-up': { type: 'string', default: '3' },
      cases: { type: 'string' },
      profile: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  const names = values.cases?.split(',');
  const cases = CASES.filter(({ name }) => names?.includes(name) ?? true);
  const { seconds, rounds, connections, 'warm-up': warmUp } = mapValues(values, Number);
  const isWrong =
    !(seconds > 0 && rounds >= 1 && connections >= 1 && warmUp > 0) || cases.length < (names?.length ?? 1);
  if (isWrong) process.exitCode = 1;
  if (isWrong || values.help) return undefined;
  return {
    seconds,
    rounds,
    connections,
    warmUp,
    cases,
    profile: values.profile,
    isComplete: !names && !values.profile,
  };
}

const mapValues = (object, change) =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));

/** Rounds of cases of candidates: the two of a case run next to each other, and who begins alternates. */
async function measureAll({ cases, rounds, seconds, connections, warmUp }, servers, load, database) {
  const measure = (caseName, candidate, duration) =>
    load.measure({ caseName, url: servers[candidate].url, connections, seconds: duration });
  for (const { name } of cases) {
    for (const candidate of ['tenantry', 'peer']) await measure(name, candidate, warmUp);
  }
  const samples = [];
  for (let round = 1; round <= rounds; round += 1) {
    for (const { name } of cases) {
      for (const candidate of round % 2 ? ['tenantry', 'peer'] : ['peer', 'tenantry']) {
        await sleep(SETTLE_MS);
        const { pid } = servers[candidate];
        const before = { server: cpuOfProcess(pid), database: cpuOfPostgres(database.dataDir) };
        const measurement = await measure(name, candidate, seconds);
        const { requests, p50Ms, p99Ms, errors, unexpected } = measurement;
        const sample = {
          round,
          case: name,
          candidate,
          requests,
          requestsPerSecond: requests / measurement.seconds,
          p50Ms,
          p99Ms,
          serverCpuMs: (cpuOfProcess(pid) - before.server) / requests,
          databaseCpuMs: (cpuOfPostgres(database.dataDir) - before.database) / requests,
          errors,
          unexpected,
        };
        samples.push(sample);
        console.log(`round ${round}  ${name.padEnd(15)} ${candidate.padEnd(9)} ${describe(sample)}`);
      }
    }
  }
  return samples;
}

const describe = ({ requestsPerSecond, p50Ms, p99Ms, serverCpuMs, databaseCpuMs }) =>
  `${requestsPerSecond.toFixed(0).padStart(6)} req/s   p50 ${p50Ms.toFixed(2)} ms   p99 ${p99Ms.toFixed(2)} ms   ` +
  `CPU ${serverCpuMs.toFixed(2)} + ${databaseCpuMs.toFixed(2)} ms`;

/** A race between two that do different things would tell nothing. @throws Error when they answer differently */
async function assertSameAnswers(cases, servers, targets) {
  for (const { name, status, sameAnswer, request } of cases) {
    const { method, path: target, headers, body } = request(targets);
    const [tenantry, peer] = await Promise.all(
      [servers.tenantry, servers.peer].map(async ({ url }) => {
        // Only one of the two may create the user.
        const own = name === 'create-user' ? request(targets) : { path: target, headers, body };
        const response = await fetch(`${url}${own.path}`, { method, headers: own.headers, body: own.body });
        const text = await response.text();
        if (response.status !== status) throw new Error(`${name}: ${url} answers ${response.status}: ${text}`);
        return JSON.parse(text);
      }),
    );
    if (sameAnswer && !isDeepStrictEqual(tenantry, peer)) {
      throw new Error(`${name}: the answers differ.\n${JSON.stringify(tenantry)}\n${JSON.stringify(peer)}`);
    }
  }
}

async function environmentOf(postgresUrl) {
  return {
    date: new Date().toISOString(),
    commit: commit(),
    node: process.versions.node,
    postgres: await serverVersion(postgresUrl),
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? 'unknown',
    loadAverage: [loadavg()[0]],
    tenants: TENANTS,
    usersPerTenant: USERS_PER_TENANT,
  };
}

async function serverVersion(postgresUrl) {
  const client = new pg.Client({ connectionString: postgresUrl });
  await client.connect();
  try {
    return (await client.query('SHOW server_version')).rows[0].server_version;
  } finally {
    await client.end();
  }
}

/** As git names it; `-dirty` when files of the program differ from it. */
function commit() {
  const git = (...args) => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim();
  try {
    const changed = git('status', '--porcelain', '--', 'src', 'prisma', 'package-lock.json');
    return git('rev-parse', '--short', 'HEAD') + (changed ? '-dirty' : '');
  } catch {
    return 'unknown';
  }
}

/** A new one; whoever runs the database must be able to pass through it, as root that is another account. */
function makeDirectory() {
  const directory = path.join(tmpdir(), `tenantry-bench-${process.pid}-${randomBytes(4).toString('hex')}`);
  mkdirSync(directory, { mode: process.getuid?.() === 0 ? 0o711 : 0o700 });
  undo.push(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));
  return directory;
}

/** Something that is to be stopped at the end, also when the end comes while it starts. */
async function starting(name, start) {
  undo.push(async () => (await start.catch(() => undefined))?.stop());
  return step(name, start);
}

async function step(name, work) {
  const start = performance.now();
  const result = await work;
  if (!cleaningUp) console.log(`${name}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
  return result;
}

function cleanUp() {
  cleaningUp ??= (async () => {
    for (const action of undo.toReversed()) {
      await Promise.resolve(action()).catch((error) => console.error(`Something may be left behind: ${error.message}`));
    }
  })();
  return cleaningUp;
}

// npm passes on what the terminal has sent already, so the same signal may come twice.
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
]) {
  process.on(signal, () => void cleanUp().finally(() => process.exit(code)));
}

try {
  await main();
} catch (error) {
  const isUsage = error.code?.startsWith('ERR_PARSE_ARGS');
  if (!cleaningUp) console.error(isUsage ? `${error.message}\n\n${USAGE}` : error); // else its servers were stopped
  process.exitCode = 1;
}
await cleanUp();
