// npm run bench: measures Tenantry against others. docs/benchmark.md says what, how, and what it means.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import pg from 'pg';
import { seedBetterAuth } from './better-auth-seed.mjs';
import { candidatesOf, orderOf } from './candidates.mjs';
import { CASES } from './cases.mjs';
import { cpuOfPostgres, cpuOfProcess } from './cpu.mjs';
import { ROOT } from './program.mjs';
import { aimLines, judge, RESULTS, writeReport } from './report.mjs';
import { countRoundTrips, startCounter } from './round-trips.mjs';
import { seed, TENANTS, USERS_PER_TENANT } from './seed.mjs';
import { startBetterAuth, startDatabase, startLoad, startPeer, startTenantry, startUsualStack } from './servers.mjs';

const USAGE = `npm run bench [-- options]

Measures Tenantry against a plain Fastify + pg server and the usual stack (Express, jose, Prisma's RLS extension) on a database
of its own, and against Better Auth on another, and writes ${path.relative(ROOT, RESULTS)}/latest.{json,md} and ratios.svg.

  --seconds <n>      of each measurement (2)
  --rounds <n>       (3)
  --connections <n>  (8)
  --warm-up <n>      seconds of each case and candidate (3), until code is compiled and connections are open
  --cases <names>    only these, comma separated, and without writing the report: ${CASES.map(({ name }) => name).join(', ')}
  --strict           exit code 1 when an aim is missed by more than its noise
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
  const betterAuthUrl = await step(
    'the same for Better Auth',
    seedBetterAuth(database.superuserUrl, secretKey, targets),
  );
  const targetsFile = path.join(directory, 'targets.json');
  writeFileSync(targetsFile, JSON.stringify(targets), { mode: 0o600 });

  const urls = { ...database.urls, superuser: database.superuserUrl, betterAuth: betterAuthUrl };
  const start = (reached, profileDir) => startCandidates({ urls: reached, secretKey, dataDir: directory, profileDir });
  const counts = await countAll(options.cases, urls, targets, start);
  const servers = await start(urls, options.profile);
  const load = await starting('the load generator', Promise.resolve(startLoad(targetsFile)));
  await step('one request of each kind', assertSameAnswers(options.cases, servers, targets));

  const environment = await environmentOf(database.superuserUrl);
  const samples = await measureAll(options, servers, load, database);
  environment.loadAverage.push(loadavg()[0]); // ours alone comes to about 3
  const markdown = options.isComplete ? writeReport(environment, options, samples, counts) : undefined;
  if (markdown) console.log(`\n${markdown}`);
  const aims = judge(samples, counts);
  if (!markdown) console.log(`\n${aimLines(aims).join('\n')}`);
  const missed = [...aims.ratios, ...aims.roundTrips].filter(({ outcome }) => outcome === 'missed');
  if (options.strict && missed.length > 0) {
    console.error(`${missed.length} aims are missed by more than their noise.`);
    process.exitCode = 1;
  }
  const faulty = samples.filter(({ errors }) => errors > 0);
  for (const { case: name, candidate, errors, unexpected } of faulty) {
    console.error(`${candidate}, ${name}: ${errors} errors (${unexpected.join(', ')})`);
  }
  if (faulty.length > 0) process.exitCode = 1;
}

/** All of them, each in a process of its own. @returns {Promise<Record<string, import('./servers.mjs').Server>>} */
async function startCandidates(options) {
  const { urls, secretKey } = options;
  const tenantry = await starting('Tenantry', startTenantry(options));
  return {
    tenantry,
    peer: await starting('Fastify + pg', startPeer(urls.superuser)),
    usual: await starting('the usual stack', startUsualStack(urls.app, tenantry.url)),
    betterAuth: await starting('Better Auth', startBetterAuth(urls.betterAuth, secretKey)),
  };
}

/** Round trips of each case and candidate, in processes of their own behind a proxy, which would slow down what is measured. */
async function countAll(cases, urls, targets, start) {
  const counter = await starting('the counter of round trips', startCounter(urls.superuser));
  const servers = await start(mapValues(urls, counter.urlOf));
  const counts = [];
  for (const oneCase of cases) {
    for (const candidate of candidatesOf(oneCase)) {
      const { request, status } = orderOf(oneCase.name, candidate);
      const { url } = servers[candidate];
      const count = (among) => countRoundTrips(counter, url, () => request(among), status);
      const ofStrangers = await count(targets);
      const roundTrips = await count({ ...targets, tenants: [targets.tenants[0]] });
      counts.push({ case: oneCase.name, candidate, roundTrips, ofStrangers });
      console.log(
        `round trips  ${oneCase.name.padEnd(17)} ${candidate.padEnd(11)} ${roundTrips} (new caller: ${ofStrangers})`,
      );
    }
  }
  for (const server of Object.values(servers)) await server.stop();
  await counter.stop();
  return counts;
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
      strict: { type: 'boolean', default: false },
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
    strict: values.strict,
    isComplete: !names && !values.profile,
  };
}

const mapValues = (object, change) =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));

/** Rounds of cases of candidates: those of a case run next to each other, and who begins changes from round to round. */
async function measureAll({ cases, rounds, seconds, connections, warmUp }, servers, load, database) {
  const measure = (caseName, candidate, duration) =>
    load.measure({ caseName, candidate, url: servers[candidate].url, connections, seconds: duration });
  for (const oneCase of cases) {
    for (const candidate of candidatesOf(oneCase)) await measure(oneCase.name, candidate, warmUp);
  }
  const samples = [];
  for (let round = 1; round <= rounds; round += 1) {
    for (const oneCase of cases) {
      const { name } = oneCase;
      for (const candidate of inTurn(candidatesOf(oneCase), round)) {
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
        console.log(`round ${round}  ${name.padEnd(17)} ${candidate.padEnd(11)} ${describe(sample)}`);
      }
    }
  }
  return samples;
}

const inTurn = (list, round) => list.map((_, index) => list[(index + round - 1) % list.length]);

const describe = ({ requestsPerSecond, p50Ms, p99Ms, serverCpuMs, databaseCpuMs }) =>
  `${requestsPerSecond.toFixed(0).padStart(6)} req/s   p50 ${p50Ms.toFixed(2)} ms   p99 ${p99Ms.toFixed(2)} ms   ` +
  `CPU ${serverCpuMs.toFixed(2)} + ${databaseCpuMs.toFixed(2)} ms`;

/** A race between some that do different things would tell nothing. @throws Error when they answer differently */
async function assertSameAnswers(cases, servers, targets) {
  for (const oneCase of cases) {
    const { name, sameAnswer } = oneCase;
    const shared = oneCase.request(targets);
    const answers = [];
    for (const candidate of candidatesOf(oneCase)) {
      const { request, status, isRight } = orderOf(name, candidate);
      const isCompared = sameAnswer && candidate !== 'betterAuth'; // it has a form of its own
      // Those compared are asked the same; but only one of them may create a user.
      const { path: target, ...content } = isCompared ? shared : request(targets);
      const response = await fetch(`${servers[candidate].url}${target}`, content);
      const text = await response.text();
      if (response.status !== status) throw new Error(`${name}: ${candidate} answers ${response.status}: ${text}`);
      if (isCompared) answers.push(JSON.parse(text));
      if (isRight && !isRight(JSON.parse(text))) throw new Error(`${name}: ${candidate} answers ${text}`);
    }
    if (!answers.every((answer) => isDeepStrictEqual(answer, answers[0]))) {
      throw new Error(`${name}: the answers differ.\n${answers.map((answer) => JSON.stringify(answer)).join('\n')}`);
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
