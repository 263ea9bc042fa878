// A process of its own for one backup, restore or receiver: what it needs above its idle memory is then this work's alone.
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { program } from './program.mjs';

const { readBackupEnv } = program('config/backup-env');
const { openEngine } = program('backups/open-engine');
const { receiveContinuously } = program('backups/native/continuous-receiver');

/** Long enough for what loading has left to be over. */
const SETTLE_MS = 500;

const engine = openEngine(readBackupEnv());

/**
 * Each does its work. @returns what is to be told of it
 * @type {Record<string, (order: Record<string, string>) => Promise<object>>}
 */
const OPERATIONS = {
  async backup() {
    const { id, clusterBytes, storedBytes } = await engine.createBackup({ checkpoint: 'fast' });
    return { id, bytes: clusterBytes, storedBytes };
  },

  async verify({ id }) {
    await engine.verifyBackup(id);
    return {};
  },

  async restore({ directory }) {
    const startedAt = performance.now();
    let filesSeconds = 0;
    let bytes = 0;
    const onProgress = (step, done) => {
      if (step !== 'files') return;
      bytes = done;
      filesSeconds = (performance.now() - startedAt) / 1000;
    };
    const plan = await engine.planRestore({ moment: { kind: 'latest' } });
    const cluster = await engine.materialize(plan, { directory, onProgress });
    const openSeconds = (performance.now() - startedAt) / 1000;
    await cluster.discard();
    return { bytes, filesSeconds, openSeconds };
  },

  /** Until told to stop. */
  async receive() {
    const stop = new AbortController();
    process.once('message', () => stop.abort());
    const url = () => process.env.POSTGRES_BACKUP_URL;
    const fail = (error) => console.error(error);
    const told = { store: engine.store, url, everyMs: 1_000, onGap: fail, onFailure: fail };
    process.send({ isReceiving: true });
    await receiveContinuously(told, stop.signal);
    return {};
  },
};

/** Kilobytes → bytes, of a line of /proc/self/status. */
const statusBytes = (name) =>
  Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;

process.once('message', (order) => void carryOut(order));

async function carryOut({ operation, ...order }) {
  randomBytes(32); // the first one opens what later ones need, too
  await sleep(SETTLE_MS);
  const idleBytes = statusBytes('VmRSS');
  writeFileSync('/proc/self/clear_refs', '5'); // the high-water mark begins anew
  const startedAt = performance.now();
  const result = await OPERATIONS[operation](order);
  const seconds = (performance.now() - startedAt) / 1000;
  process.send({ ...result, seconds, idleBytes, peakBytes: statusBytes('VmHWM') }, () => process.exit());
}
