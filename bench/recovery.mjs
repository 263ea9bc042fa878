// npm run bench:recovery: backups and restores against plain tar, and what they need. docs/benchmark.md says what it means.
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { growTo, PLAIN_TOOLS, writeLog } from './recovery-load.mjs';
import { MEMORY_BOUND_BYTES, writeRecoveryReport } from './recovery-report.mjs';
import { startDatabase } from './servers.mjs';

const USAGE = `npm run bench:recovery [-- options]

Measures backups and restores against tar of the same directory, how long a restore takes, and the memory of it.

  --sizes <megabytes>  of the cluster, comma separated and growing (100,400,1600)
  --rounds <n>         (3)`;

const MEGABYTE = 1e6;
/** Of log that the receiver is given, and in which it has to store it. */
const LOG_BYTES = 200 * MEGABYTE;

/** What to undo, in the order in which it was done. */
const undo = [];

async function main() {
  const options = readOptions();
  if (!options) return console.log(USAGE);
  const directory = mkdtempSync(path.join(tmpdir(), 'tenantry-recovery-bench-'));
  chmodSync(directory, 0o711); // the server's account must pass
  undo.push(() => rmSync(directory, { recursive: true, force: true }));
  const database = await startDatabase(directory);
  undo.push(database.stop);
  const client = new pg.Client({ connectionString: database.superuserUrl });
  await client.connect();
  undo.push(() => client.end());

  const samples = [];
  for (const megabytes of options.sizes) {
    await growTo(client, megabytes * MEGABYTE);
    const env = {
      PATH: process.env.PATH,
      DATA_DIR: directory,
      POSTGRES_BACKUP_URL: database.urls.backup,
      BACKUP_DIR: path.join(directory, `repository-${megabytes}`),
      BACKUP_KEY: randomBytes(32).toString('base64'),
    };
    samples.push(await receiving(env, client, megabytes));
    for (let round = 1; round <= options.rounds; round += 1) {
      for (const sample of await measure({ env, client, directory, dataDir: database.dataDir, megabytes, round })) {
        samples.push(sample);
        console.log(describe(sample));
      }
    }
    rmSync(env.BACKUP_DIR, { recursive: true });
  }
  const { rows } = await client.query('SHOW server_version');
  const environment = {
    at: new Date().toISOString(),
    cpu: cpus()[0].model,
    cores: availableParallelism(),
    node: process.version,
    postgres: rows[0].server_version,
    loadAverage: loadavg()[0],
  };
  const { markdown, worstBytes } = writeRecoveryReport(environment, options, samples);
  console.log(`\n${markdown}`);
  if (worstBytes > MEMORY_BOUND_BYTES) {
    console.error(`${Math.round(worstBytes / MEGABYTE)} MB above idle: more than ${MEMORY_BOUND_BYTES / MEGABYTE}.`);
    process.exitCode = 1;
  }
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      sizes: { type: 'string', default: '100,400,1600' },
      rounds: { type: 'string', default: '3' },
      help: { type: 'boolean' },
    },
  });
  const sizes = values.sizes.split(',').map(Number);
  const rounds = Number(values.rounds);
  const isWrong = sizes.some((size, index) => !(size > (sizes[index - 1] ?? 0))) || !(rounds >= 1);
  if (isWrong) process.exitCode = 1;
  return isWrong || values.help ? undefined : { sizes, rounds };
}

/** One round: each tool's backup next to ours, then each one's restore. */
async function measure({ env, client, directory, dataDir, megabytes, round }) {
  const samples = [];
  const note = (operation, tool, result) => samples.push({ megabytes, round, operation, tool, ...result });
  const file = (tool) => path.join(directory, `${tool.replaceAll(/\W+/g, '-')}.tar`);
  const target = path.join(directory, 'restored');
  const receiver = await receive(env);
  const backup = await work(env, { operation: 'backup' });
  note('backup', 'tenantry', backup);
  for (const [tool, { backup: take }] of Object.entries(PLAIN_TOOLS))
    note('backup', tool, { bytes: backup.bytes, seconds: await take(dataDir, file(tool)) });
  await writeLog(client, MEGABYTE); // a commit after the backup, to restore to
  await sleep(2_500); // the receiver ends its segment each second
  await receiver.stop();
  const { id } = backup;
  note('verify', 'tenantry', { bytes: backup.bytes, ...(await work(env, { operation: 'verify', id })) });
  note('restore', 'tenantry', await work(env, { operation: 'restore', directory: target }));
  for (const [tool, { restore }] of Object.entries(PLAIN_TOOLS)) {
    note('restore', tool, { bytes: backup.bytes, seconds: await restore(file(tool), target) });
    rmSync(file(tool));
  }
  return samples;
}

/** How much memory the receiver needs when there is much to receive. */
async function receiving(env, client, megabytes) {
  const receiver = await receive(env);
  await writeLog(client, LOG_BYTES);
  await sleep(2_500);
  const sample = { megabytes, round: 1, operation: 'receive', tool: 'tenantry', ...(await receiver.stop()) };
  console.log(describe({ ...sample, bytes: LOG_BYTES }));
  return { ...sample, bytes: LOG_BYTES };
}

async function receive(env) {
  const { child, ended } = start(env, { operation: 'receive' });
  await once(child, 'message');
  return {
    stop: async () => {
      child.send({});
      return ended;
    },
  };
}

const work = (env, order) => start(env, order).ended;

function start(env, order) {
  const child = fork(path.join(import.meta.dirname, 'recovery-process.mjs'), { env });
  const ended = new Promise((resolve, reject) => {
    child.on('message', (message) => !message.isReceiving && resolve(message));
    child.once('exit', (code) => reject(new Error(`${order.operation} ended with ${code}.`)));
  });
  child.send(order);
  return { child, ended };
}

function describe({ megabytes, round, operation, tool, bytes, seconds, idleBytes, peakBytes }) {
  const speed = `${(bytes / MEGABYTE / seconds).toFixed(0)} MB/s`;
  const memory = peakBytes ? `, ${((peakBytes - idleBytes) / MEGABYTE).toFixed(0)} MB above idle` : '';
  return `${megabytes} MB  round ${round}  ${operation.padEnd(7)} ${tool.padEnd(13)} ${seconds.toFixed(2)} s, ${speed}${memory}`;
}

async function cleanUp() {
  for (const step of undo.toReversed()) await Promise.resolve(step()).catch?.((error) => console.error(error));
}

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void cleanUp().then(() => process.exit(130)));
try {
  await main();
} finally {
  await cleanUp();
}
