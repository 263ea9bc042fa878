// npm run bench:workers: what is gained by several processes on one port? docs/operations.md, "More than one process", has the answer.
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { cpuOfFamily, cpuOfPostgres, memoryOfFamily } from './cpu.mjs';
import { ROOT } from './program.mjs';
import { seed } from './seed.mjs';
import { startDatabase, startLoad, startTenantry } from './servers.mjs';
import { environmentLine, environmentOf, onStage } from './stage.mjs';
import { inTurn, median, noiseOf, ratiosByRound } from './statistics.mjs';

const USAGE = `npm run bench:workers [-- options]

Measures the same requests against Tenantry with one process and with several, on one database, in turn, and writes
bench/results/workers.{json,md}.

  --workers <n>      (2)
  --seconds <n>      of each measurement (2)
  --rounds <n>       (7)
  --connections <n>  (16)`;

const RESULTS = path.join(ROOT, 'bench', 'results', 'workers');
const CASES = ['get-user', 'list-users', 'create-user', 'login'];
/** Of each case and each way, so that code is compiled, in each process, and statements are prepared. */
const WARM_UP_SECONDS = 6;
/** In which a server finishes what the load generator no longer waited for. */
const SETTLE_MS = 200;
const MB = 1e6;

async function main(stage) {
  const options = readOptions();
  if (!options) return console.log(USAGE);
  const directory = stage.makeDirectory();
  const secretKey = randomBytes(32).toString('base64');
  const database = await stage.starting('the database', startDatabase(directory));
  const targets = await stage.step('1,000 tenants with 100 users each', seed(database.superuserUrl, secretKey));
  const targetsFile = path.join(directory, 'targets.json');
  writeFileSync(targetsFile, JSON.stringify(targets), { mode: 0o600 });
  const ways = {};
  for (const workers of [1, options.workers]) {
    const start = startTenantry({
      urls: database.urls,
      secretKey,
      dataDir: directory,
      env: { WORKERS: String(workers) },
    });
    ways[workers] = await stage.starting(`Tenantry, workers: ${workers}`, start);
  }
  const load = await stage.starting('the load generator', Promise.resolve(startLoad(targetsFile)));
  const environment = await environmentOf(database.superuserUrl);
  const samples = await measureAll(options, ways, load, database);
  environment.loadAverage.push(loadavg()[0]);
  const memory = Object.entries(ways).map(([workers, { pid }]) => ({
    workers: Number(workers),
    bytes: memoryOfFamily(pid),
  }));
  report(options, environment, samples, memory);
  if (samples.some(({ errors }) => errors > 0)) process.exitCode = 1;
}

/** In each round every case, and in each case every way, so that whatever happens to the machine happens to both. */
async function measureAll(options, ways, load, database) {
  const { seconds, connections, rounds } = options;
  const all = CASES.flatMap((caseName) => Object.keys(ways).map((workers) => ({ caseName, workers })));
  const order = ({ caseName, workers }, duration) => {
    return { caseName, candidate: 'tenantry', url: ways[workers].url, connections, seconds: duration };
  };
  for (const one of all) await load.measure(order(one, WARM_UP_SECONDS));
  const samples = [];
  for (let round = 1; round <= rounds; round += 1) {
    for (const caseName of CASES) {
      for (const workers of inTurn(Object.keys(ways), round)) {
        await forgetAttempts(database.superuserUrl);
        const { pid } = ways[workers];
        const before = [cpuOfFamily(pid), cpuOfPostgres(database.dataDir)];
        const measured = await load.measure(order({ caseName, workers }, seconds));
        const [own, server] = [cpuOfFamily(pid) - before[0], cpuOfPostgres(database.dataDir) - before[1]];
        const { requests, p99Ms, p50Ms, errors } = measured;
        const perSecond = requests / measured.seconds;
        samples.push({
          round,
          case: caseName,
          workers: Number(workers),
          perSecond,
          p50Ms,
          p99Ms,
          errors,
          cpuMs: own / requests,
          serverCpuMs: server / requests,
        });
        console.log(`${round}  ${caseName.padEnd(11)} workers ${workers}  ${perSecond.toFixed(0)}/s`);
        await sleep(SETTLE_MS);
      }
    }
  }
  return samples;
}

/** Those at signing in that the load generator no longer waited for count as failed ones. */
async function forgetAttempts(connectionString) {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await client.query('DELETE FROM identity.sign_in_attempts');
  } finally {
    await client.end();
  }
}

function report({ workers, rounds, seconds, connections }, environment, samples, memory) {
  const of = (caseName, count) => samples.filter((sample) => sample.case === caseName && sample.workers === count);
  const rows = CASES.map((caseName) => {
    const [one, several] = [of(caseName, 1), of(caseName, workers)];
    const ratios = ratiosByRound(several, one, ({ perSecond }) => perSecond);
    const medianOf = (list, name) => median(list.map((sample) => sample[name]));
    return {
      case: caseName,
      ratio: median(ratios),
      noise: noiseOf(ratios),
      perSecond: [one, several].map((list) => medianOf(list, 'perSecond')),
      p99Ms: [one, several].map((list) => medianOf(list, 'p99Ms')),
      cpuMs: [one, several].map((list) => medianOf(list, 'cpuMs')),
      serverCpuMs: [one, several].map((list) => medianOf(list, 'serverCpuMs')),
    };
  });
  const pair = ([one, several], digits) => `${one.toFixed(digits)} → ${several.toFixed(digits)}`;
  const markdown = [
    `# One process and ${workers} workers`,
    '',
    environmentLine(environment),
    `${connections} connections, ${rounds} rounds of ${seconds} s, medians; the database and the load generator are on the same cores.`,
    '',
    `| case | throughput, of one process's | requests/s | p99 in ms | CPU of Tenantry in ms per request | of PostgreSQL |`,
    '| --- | --- | --- | --- | --- | --- |',
    ...rows.map(
      (row) =>
        `| ${row.case} | ${row.ratio.toFixed(2)} ± ${row.noise.toFixed(2)} | ${pair(row.perSecond, 0)} | ${pair(row.p99Ms, 1)} | ${pair(row.cpuMs, 2)} | ${pair(row.serverCpuMs, 2)} |`,
    ),
    '',
    `Memory after that (Pss): ${memory.map((one) => `${(one.bytes / MB).toFixed(0)} MB with ${one.workers}`).join(', ')}.`,
    '',
  ].join('\n');
  writeFileSync(`${RESULTS}.json`, `${JSON.stringify({ environment, rows, memory, samples }, null, 2)}\n`);
  writeFileSync(`${RESULTS}.md`, markdown);
  console.log(`\n${markdown}`);
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      workers: { type: 'string', default: '2' },
      seconds: { type: 'string', default: '2' },
      rounds: { type: 'string', default: '7' },
      connections: { type: 'string', default: '16' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return undefined;
  const { help: _help, ...numbers } = values;
  return Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, Number(value)]));
}

await onStage(USAGE, main);
