// npm run bench:growth: does a request cost more where there are more tenants, or more users? docs/benchmark.md says how it asks.
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { cpuOfPostgres, cpuOfProcess } from './cpu.mjs';
import { EVERYBODY_CASES, KNOWN_CASES } from './growth-cases.mjs';
import { startGrowthServer } from './growth-databases.mjs';
import { judgeGrowth, growthLines, writeGrowthReport } from './growth-report.mjs';
import { seedTenants, seedUsers } from './growth-seed.mjs';
import { startLoad, startTenantry } from './servers.mjs';
import { environmentOf, onStage } from './stage.mjs';
import { inTurn } from './statistics.mjs';

const USAGE = `npm run bench:growth [-- options]

Measures the same requests with 1,000, 10,000 and 100,000 tenants, and with 1,000, 10,000 and 200,000 users in one tenant,
each in a database of its own beside the others, and writes bench/results/growth.{json,md}.

  --seconds <n>      of each measurement (1; a sign-in's take twice as long)
  --rounds <n>       (5)
  --connections <n>  (8)
  --series <names>   only these, comma separated, and without writing the report: tenants, users
  --tenants <sizes>  other sizes, comma separated; without writing the report
  --users <sizes>    likewise
  --strict           exit code 1 when an aim is missed by more than its noise`;

/** Of each case and size, so that code is compiled and statements are prepared. */
const WARM_UP_SECONDS = 2;
/** In which every caller of the middle size comes at least once. */
const VISIT_SECONDS = 10;
/** In which a server finishes what the load generator no longer waited for. */
const SETTLE_MS = 100;

const SERIES = {
  tenants: { seed: seedTenants, cases: [...KNOWN_CASES, ...EVERYBODY_CASES], warmUps: [['visit', VISIT_SECONDS]] },
  users: { seed: seedUsers, cases: KNOWN_CASES, warmUps: [] },
};

async function main(stage) {
  const options = readOptions();
  if (!options) return console.log(USAGE);
  const directory = stage.makeDirectory();
  const server = await stage.starting('the database server', startGrowthServer(directory));
  let environment;
  const samples = [];
  for (const name of options.series) {
    const bases = await openBases(stage, server, directory, name, options.sizes[name]);
    environment ??= await environmentOf(bases[0].superuserUrl);
    for (const sample of await measureSeries(name, bases, server.dataDir, options)) samples.push(sample);
    for (const { tenantry, load } of bases) await Promise.all([tenantry.stop(), load.stop()]);
  }
  environment.loadAverage.push(loadavg()[0]);

  const outcomes = judgeGrowth(samples);
  const markdown = options.isComplete ? writeGrowthReport(environment, options, samples, outcomes) : undefined;
  console.log(`\n${markdown ?? growthLines(outcomes).join('\n')}`);
  const missed = outcomes.filter(({ outcome }) => outcome === 'missed');
  if (options.strict && missed.length > 0) process.exitCode = 1;
  const faulty = samples.filter(({ errors }) => errors > 0);
  for (const { series, size, case: name, errors, unexpected } of faulty)
    console.error(`${size} ${series}, ${name}: ${errors} errors (${unexpected.join(', ')})`);
  if (faulty.length > 0) process.exitCode = 1;
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '1' },
      rounds: { type: 'string', default: '5' },
      connections: { type: 'string', default: '8' },
      series: { type: 'string', default: 'tenants,users' },
      tenants: { type: 'string', default: '1000,10000,100000' },
      users: { type: 'string', default: '1000,10000,200000' },
      strict: { type: 'boolean', default: false },
      help: { type: 'boolean' },
    },
  });
  const [seconds, rounds, connections] = [values.seconds, values.rounds, values.connections].map(Number);
  const series = values.series.split(',');
  const sizes = { tenants: values.tenants.split(',').map(Number), users: values.users.split(',').map(Number) };
  const isWrong =
    !(seconds > 0 && rounds >= 1 && connections >= 1) ||
    series.some((name) => !(name in SERIES)) ||
    Object.values(sizes).some((list) => list.some((size, index) => !(size > (list[index - 1] ?? 0))));
  if (isWrong) process.exitCode = 1;
  if (isWrong || values.help) return undefined;
  const isDefault = !['--series', '--tenants', '--users'].some((flag) => process.argv.includes(flag));
  return { seconds, rounds, connections, series, sizes, strict: values.strict, isComplete: isDefault };
}

/** A filled database for each size, each with a Tenantry and a load generator of its own. */
async function openBases(stage, server, directory, name, sizes) {
  const bases = [];
  for (const size of sizes) {
    const secretKey = randomBytes(32).toString('base64');
    const fill = async () => {
      const { urls, superuserUrl } = await server.makeDatabase(`${name}_${size}`);
      const targets = await SERIES[name].seed(superuserUrl, secretKey, size);
      const targetsFile = path.join(directory, `${name}-${size}.json`);
      writeFileSync(targetsFile, JSON.stringify(targets), { mode: 0o600 });
      return { urls, superuserUrl, targetsFile };
    };
    const { urls, superuserUrl, targetsFile } = await stage.step(`${size} ${name}`, fill());
    bases.push({ size, secretKey, urls, superuserUrl, targetsFile });
  }
  // Only now, so that none has idled while another database was filled.
  for (const base of bases) {
    base.tenantry = await stage.starting('Tenantry', startTenantry({ ...base, dataDir: directory }));
    base.load = await stage.starting('its load', Promise.resolve(startLoad(base.targetsFile, './growth-cases.mjs')));
  }
  return bases;
}

/** Rounds of cases of sizes: those of a case run next to each other, and which begins changes from round to round. */
async function measureSeries(series, bases, dataDir, { seconds, rounds, connections }) {
  const { cases, warmUps } = SERIES[series];
  const measure = (base, caseName, duration) =>
    base.load.measure({ caseName, url: base.tenantry.url, connections, seconds: duration });
  for (const [caseName, duration] of [...cases.map(({ name }) => [name, WARM_UP_SECONDS]), ...warmUps]) {
    for (const base of bases) await measure(base, caseName, duration);
  }
  const samples = [];
  for (let round = 1; round <= rounds; round += 1) {
    for (const { name } of cases) {
      for (const base of inTurn(bases, round)) {
        await sleep(SETTLE_MS);
        const before = { server: cpuOfProcess(base.tenantry.pid), database: cpuOfPostgres(dataDir) };
        const measured = await measure(base, name, name === 'sign-in' ? 2 * seconds : seconds);
        const { requests, p50Ms, p99Ms, errors, unexpected } = measured;
        const sample = {
          series,
          size: base.size,
          case: name,
          round,
          requests,
          requestsPerSecond: requests / measured.seconds,
          p50Ms,
          p99Ms,
          serverCpuMs: (cpuOfProcess(base.tenantry.pid) - before.server) / requests,
          databaseCpuMs: (cpuOfPostgres(dataDir) - before.database) / requests,
          errors,
          unexpected,
        };
        samples.push(sample);
        console.log(`round ${round}  ${`${base.size} ${series}`.padEnd(15)} ${name.padEnd(24)} ${describe(sample)}`);
      }
    }
  }
  return samples;
}

const describe = ({ requestsPerSecond, p50Ms, p99Ms, serverCpuMs, databaseCpuMs }) =>
  `${requestsPerSecond.toFixed(0).padStart(6)} req/s   p50 ${p50Ms.toFixed(2)} ms   p99 ${p99Ms.toFixed(2)} ms   ` +
  `CPU ${serverCpuMs.toFixed(2)} + ${databaseCpuMs.toFixed(2)} ms`;

await onStage(USAGE, main);
