// The load generator, in a process of its own so that its work is not counted as the servers'.
// Usage: fork('load.mjs', [<targets.json>, <module with orderOf>]); it answers each { caseName, candidate, url, seconds } with a Measurement;
// with `connections` as fast as it is answered, with `perSecond` at that rate.
import { readFileSync } from 'node:fs';
import autocannon from 'autocannon';
import { openLoop } from './open-loop.mjs';
import { percentile } from './statistics.mjs';

/**
 * @typedef {object} Measurement
 * @property {number} requests answered
 * @property {number} seconds
 * @property {number} p50Ms
 * @property {number} p99Ms
 * @property {number} errors answers of another status, broken connections, timeouts
 * @property {string[]} unexpected what those answers were, each kind once
 */

const [targetsFile, orders] = process.argv.slice(2);
const targets = JSON.parse(readFileSync(targetsFile, 'utf8'));
const { orderOf } = await import(orders);

process.on('message', (order) => {
  measure(order).then(
    (measurement) => process.send({ measurement }),
    (error) => process.send({ error: error.stack }),
  );
});
process.on('disconnect', () => process.exit()); // the parent is gone

/** @returns {Promise<Measurement>} */
async function measure({ caseName, candidate, url, connections, perSecond, seconds }) {
  const { request, status } = orderOf(caseName, candidate);
  if (perSecond) return openLoop({ url, perSecond, seconds, status }, () => request(targets));
  const latencies = [];
  const unexpected = new Set();
  let errors = 0;
  const instance = autocannon({
    url,
    connections,
    duration: seconds,
    sampleInt: 100, // milliseconds: how exactly it keeps to the duration
    requests: [{ setupRequest: (defaults) => ({ ...defaults, ...request(targets) }) }],
  });
  // Kept here because autocannon's own histogram counts whole milliseconds.
  instance.on('response', (_client, answered, _bytes, milliseconds) => {
    latencies.push(milliseconds);
    if (answered === status) return;
    errors += 1;
    unexpected.add(`status ${answered}`);
  });
  instance.on('reqError', (error) => {
    errors += 1;
    unexpected.add(error.message);
  });
  const { start, finish } = await instance;
  latencies.sort((a, b) => a - b);
  return {
    requests: latencies.length,
    seconds: (finish.getTime() - start.getTime()) / 1000,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    errors,
    unexpected: [...unexpected],
  };
}
