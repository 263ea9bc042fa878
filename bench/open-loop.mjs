// Requests at a fixed rate. Each starts at its time, whether or not those before it were answered, on a connection of its own if
// none is free: a slow answer delays no other request, so that nothing is left out that a caller would have felt ("coordinated
// omission"), and nothing has to be corrected. autocannon's own rate sends a second's requests in one burst.
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { percentile } from './statistics.mjs';

const TIMEOUT_MS = 10_000;

/**
 * @param {{ url: string, perSecond: number, seconds: number, status: number }} options
 * @param {() => import('./cases.mjs').Request} makeRequest
 * @returns {Promise<import('./load.mjs').Measurement & { latestStartMs: number }>} latestStartMs: how late a request began at most
 */
export async function openLoop({ url, perSecond, seconds, status }, makeRequest) {
  const agent = new http.Agent({ keepAlive: true });
  const latencies = [];
  const unexpected = [];
  const pending = [];
  const start = performance.now();
  let latestStartMs = 0;
  for (let sent = 0; sent < perSecond * seconds; sent += 1) {
    const due = start + (sent * 1000) / perSecond;
    while (performance.now() < due) await sleep(Math.max(0, due - performance.now()));
    latestStartMs = Math.max(latestStartMs, performance.now() - due);
    const { path, body, ...rest } = makeRequest();
    const begin = performance.now();
    const options = { ...rest, agent, timeout: TIMEOUT_MS };
    pending.push(
      answered(new URL(path, url), options, body).then(
        (code) => {
          latencies.push(performance.now() - begin);
          if (code !== status) unexpected.push(`status ${code}`);
        },
        (error) => unexpected.push(error.message),
      ),
    );
  }
  await Promise.all(pending);
  agent.destroy();
  latencies.sort((a, b) => a - b);
  return {
    requests: latencies.length,
    seconds: (performance.now() - start) / 1000,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    errors: unexpected.length,
    unexpected: [...new Set(unexpected)],
    latestStartMs,
  };
}

/** Sends a request and reads all of the answer. @returns {Promise<number>} its status */
function answered(url, options, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, options, (response) => {
      response.on('end', () => resolve(response.statusCode));
      response.on('error', reject);
      response.resume();
    });
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', reject);
    request.end(body);
  });
}
