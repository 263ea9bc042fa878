// npm run bench:soak: what Tenantry keeps in memory, idle and under all kinds of requests. docs/benchmark.md says what counts.
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { seedTenants } from './growth-seed.mjs';
import { forgetPeak, memoryOf } from './memory.mjs';
import { startDatabase, startTenantry } from './servers.mjs';
import { judgeMemory, soakLines, writeSoakReport } from './soak-report.mjs';
import { environmentOf, onStage } from './stage.mjs';

const USAGE = `npm run bench:soak [-- options]

Starts Tenantry, lets it idle, loads it with all kinds of requests, watches its memory, and writes bench/results/soak.{json,md}.

  --minutes <n>   of load (10)
  --idle <n>      minutes of idleness before (1); after the load it idles as long again
  --visitors <n>  who send requests without a pause (16)
  --no-report     writes no report
  --strict        exit code 1 when an aim is missed`;

/** A caller in each: more than Tenantry keeps tokens and answers of, so that these are full when it counts. */
const TENANTS = 12_000;
const SAMPLE_MS = 1_000;
const GREETING_SECONDS = 120;

async function main(stage) {
  const options = readOptions();
  if (!options) return console.log(USAGE);
  const directory = stage.makeDirectory();
  const secretKey = randomBytes(32).toString('base64');
  const metricsToken = randomBytes(16).toString('hex');
  const { urls, superuserUrl } = await stage.starting('the database', startDatabase(directory));
  const targets = await stage.step(`${TENANTS} tenants`, seedTenants(superuserUrl, secretKey, TENANTS));
  await makeAdministrator(superuserUrl, targets);
  const targetsFile = path.join(directory, 'targets.json');
  writeFileSync(targetsFile, JSON.stringify({ ...targets, metricsToken }), { mode: 0o600 });
  const environment = await environmentOf(superuserUrl);

  const startedAt = performance.now();
  const env = { METRICS_TOKEN: metricsToken, POSTGRES_MONITOR_URL: urls.monitor };
  const tenantry = await stage.starting('Tenantry', startTenantry({ urls, secretKey, dataDir: directory, env }));
  const startSeconds = (performance.now() - startedAt) / 1000;
  const watch = watchMemory(tenantry.pid);
  await stage.step('idle', watch.during('idle', sleep(options.idle * 60_000)));

  const load = await stage.starting('the load', Promise.resolve(startSoakLoad(targetsFile)));
  const order = { url: tenantry.url, visitors: options.visitors };
  const greeting = load.walk({ ...order, seconds: GREETING_SECONDS, everyCaller: true });
  await stage.step('every caller once', watch.during('greeting', greeting));
  forgetPeak(tenantry.pid);
  const walked = await stage.step(
    `${options.minutes} minutes of load`,
    watch.during('load', load.walk({ ...order, seconds: options.minutes * 60 })),
  );
  const { peakBytes } = memoryOf(tenantry.pid);
  await stage.step('idle again', watch.during('after', sleep(options.idle * 60_000)));
  watch.stop();
  environment.loadAverage.push(loadavg()[0]);

  const outcome = judgeMemory({ samples: watch.samples, peakBytes });
  const result = { startSeconds, ...walked, ...outcome };
  console.log(`\n${soakLines(result).join('\n')}`);
  if (options.report) writeSoakReport(environment, options, result, watch.samples);
  for (const line of walked.unexpected) console.error(line);
  const isMissed = outcome.aims.some(({ isMet }) => !isMet);
  if (walked.errors > 0 || (options.strict && isMissed)) process.exitCode = 1;
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      idle: { type: 'string', default: '1' },
      visitors: { type: 'string', default: '16' },
      'no-report': { type: 'boolean', default: false },
      strict: { type: 'boolean', default: false },
      help: { type: 'boolean' },
    },
  });
  const [minutes, idle, visitors] = [values.minutes, values.idle, values.visitors].map(Number);
  const isWrong = !(minutes > 0 && idle > 0 && visitors >= 1);
  if (isWrong) process.exitCode = 1;
  if (isWrong || values.help) return undefined;
  return { minutes, idle, visitors, report: !values['no-report'], strict: values.strict };
}

/** The first caller, beside what he is in his tenant. */
async function makeAdministrator(superuserUrl, { tenants, callers }) {
  const client = new pg.Client({ connectionString: superuserUrl });
  await client.connect();
  await client.query(
    `UPDATE identity.users SET platform_role = 'administrator'
     WHERE id = (SELECT user_id FROM app.memberships WHERE tenant_id = $1 AND email LIKE 'user2@%')`,
    [tenants[callers[0].tenant].id],
  );
  await client.end();
}

/** Looks each second. */
function watchMemory(pid) {
  const samples = [];
  let phase = 'start';
  let phaseBegan = performance.now();
  const timer = setInterval(() => {
    const { residentBytes } = memoryOf(pid);
    samples.push({ phase, seconds: (performance.now() - phaseBegan) / 1000, residentBytes });
  }, SAMPLE_MS);
  return {
    samples,
    async during(name, work) {
      phase = name;
      phaseBegan = performance.now();
      return work;
    },
    stop: () => clearInterval(timer),
  };
}

function startSoakLoad(targetsFile) {
  const child = fork(path.join(import.meta.dirname, 'soak-load.mjs'), [targetsFile]);
  return {
    /** @returns {Promise<import('./soak-load.mjs').Walked>} */
    async walk(order) {
      const ended = once(child, 'exit').then(([code]) => {
        throw new Error(`The load ended with ${code}.`);
      });
      const walked = once(child, 'message').then(([message]) => message);
      child.send(order);
      return Promise.race([walked, ended]);
    },
    async stop() {
      if (child.connected) child.disconnect();
    },
  };
}

await onStage(USAGE, main);
