// Visitors who walk journeys without a pause, in a process of their own.
// Usage: fork('soak-load.mjs', [<targets.json>]); it answers each { url, visitors, seconds, everyCaller } with a Walked.
import { readFileSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { text } from 'node:stream/consumers';
import { JOURNEYS } from './soak-journeys.mjs';

/**
 * @typedef {object} Walked
 * @property {number} requests answered as they should be, or hung up on purpose
 * @property {number} errors
 * @property {string[]} unexpected what went wrong, each kind once
 */

/** At the latest then a visitor hangs up who has that in mind. */
const HANG_UP_WITHIN_MS = 5;
const KEPT_ERRORS = 20;

const targets = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const agent = new Agent({ keepAlive: true });
const bag = Object.entries(JOURNEYS).flatMap(([name, { weight }]) => Array(weight).fill(name));

process.on('message', (order) => {
  void load(order).then((walked) => process.send(walked));
});
process.on('disconnect', () => process.exit()); // the parent is gone

/** @returns {Promise<Walked>} */
async function load({ url, visitors, seconds, everyCaller }) {
  const walked = { requests: 0, errors: 0, unexpected: new Set() };
  const send = (order) => ask(url, order).finally(() => (walked.requests += 1));
  const until = performance.now() + seconds * 1000;
  const callers = everyCaller ? targets.callers.values() : undefined;
  const visit = async () => {
    while (performance.now() < until) {
      const next = callers?.next();
      if (next?.done) return;
      const name = bag[Math.floor(Math.random() * bag.length)];
      const walk = next ? greet(next.value) : JOURNEYS[name].walk;
      await walk({ targets, send }).catch((error) => {
        walked.errors += 1;
        if (walked.unexpected.size < KEPT_ERRORS)
          walked.unexpected.add(`${next ? 'greeting' : name}: ${error.message}`);
      });
    }
  };
  await Promise.all(Array.from({ length: visitors }, visit));
  return { ...walked, unexpected: [...walked.unexpected] };
}

/** Whatever a server keeps of a caller, it then has. */
const greet =
  ({ tenant, token }) =>
  ({ send }) =>
    send({ path: `/v1/tenants/${targets.tenants[tenant].id}`, token, status: 200 });

function ask(url, { method = 'GET', path, token, body, headers = {}, status, gone = false }) {
  return new Promise((resolve, reject) => {
    const content = body && JSON.stringify(body);
    const sent = httpRequest(`${url}${path}`, {
      method,
      agent,
      headers: {
        ...(token && { authorization: `Bearer ${token}` }),
        ...(content && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) }),
        ...headers,
      },
    });
    sent.once('error', (error) => (gone ? resolve({}) : reject(error)));
    sent.once('response', (response) => {
      text(response).then(
        (answer) => {
          const { statusCode, headers: given } = response;
          if (gone) return resolve({}); // it was faster
          if (statusCode !== status) {
            const said = /"code":"\w+"/.exec(answer)?.[0] ?? answer;
            return reject(new Error(`${method} ${shape(path)} answers ${statusCode}: ${said}`));
          }
          const isJson = /json/.test(given['content-type'] ?? '') && answer !== '';
          resolve({ body: isJson ? JSON.parse(answer) : answer, etag: given.etag });
        },
        gone ? () => resolve({}) : reject,
      );
    });
    sent.end(content);
    if (gone) setTimeout(() => sent.destroy(), Math.random() * HANG_UP_WITHIN_MS);
  });
}

/** Without the ids, so that each kind of error is told once. */
const shape = (path) => path.replaceAll(/[\da-f-]{36}/g, '…');
