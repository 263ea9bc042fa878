// How often a candidate waits for PostgreSQL during one request: a proxy between the two counts ReadyForQuery, the message that
// ends each round trip (manual, 54.2). test/support/protocol-spy.ts, which tests use, knows more; this needs no more.
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { candidatesOf, orderOf } from './candidates.mjs';

/** Requests before it counts: connections open, statements are prepared, caches filled. */
const WARM_UP = 30;
/** The median of these is taken, so that a job in the background does not count. */
const COUNTED = 15;
/** What a server does after it has answered belongs to the request, too. */
const AFTERMATH_MS = 20;

/**
 * Stands before a server on a unix socket.
 * @param {string} url with `?host=<directory>`
 */
async function startCounter(url) {
  const target = path.join(new URL(url).searchParams.get('host'), '.s.PGSQL.5432');
  const directory = await mkdtemp(path.join(tmpdir(), 'tenantry-bench-count-'));
  const sockets = new Set();
  let count = 0;
  const proxy = createServer((client) => {
    const server = connect(target);
    const counter = readyForQueryCounter();
    client.pipe(server);
    server.on('data', (bytes) => (count += counter(bytes)));
    server.pipe(client);
    for (const [one, other] of [
      [client, server],
      [server, client],
    ]) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise((resolve) => proxy.listen(path.join(directory, '.s.PGSQL.5432'), resolve));
  return {
    /** Another login or database of the same server, through here. */
    urlOf(original) {
      const through = new URL(original);
      through.searchParams.set('host', directory);
      return through.href;
    },
    count: () => count,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => proxy.close(resolve));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/**
 * Round trips of each case and candidate, in processes of their own behind a proxy, which would slow down what is measured.
 * @param {object[]} counts gets them one by one
 */
export async function countRoundTripsOfAll({ cases }, setup, counts) {
  const { stage, urls, targets } = setup;
  const counter = await stage.starting('the counter of round trips', startCounter(urls.superuser));
  const reached = Object.fromEntries(Object.entries(urls).map(([name, url]) => [name, counter.urlOf(url)]));
  const servers = await setup.startCandidates(reached);
  try {
    for (const oneCase of cases) {
      for (const candidate of candidatesOf(oneCase)) {
        const { request, status } = orderOf(oneCase.name, candidate);
        const count = (among) => countRoundTrips(counter, servers[candidate].url, () => request(among), status);
        const ofStrangers = await count(targets);
        const roundTrips = await count({ ...targets, tenants: [targets.tenants[0]] });
        counts.push({ case: oneCase.name, candidate, roundTrips, ofStrangers });
        console.log(
          `round trips  ${oneCase.name.padEnd(17)} ${candidate.padEnd(11)} ${roundTrips} (new caller: ${ofStrangers})`,
        );
      }
    }
  } finally {
    for (const server of Object.values(servers)) await server.stop();
    await counter.stop();
  }
}

/** @returns {import('./aims.mjs').Comparison[]} counts of Tenantry's, which have no noise */
export const compareRoundTrips = (counts) =>
  counts
    .filter(({ candidate }) => candidate === 'tenantry')
    .map(({ case: name, candidate, roundTrips }) => {
      return { part: 'round-trips', case: name, to: candidate, ratios: [roundTrips] };
    });

/** @returns {Promise<number>} round trips of one request that comes alone, the median of several */
async function countRoundTrips(counter, url, makeRequest, status) {
  const counts = [];
  for (let made = 0; made < WARM_UP + COUNTED; made += 1) {
    const { path: target, ...request } = makeRequest();
    const before = counter.count();
    const response = await fetch(`${url}${target}`, request);
    const body = await response.text();
    if (response.status !== status) throw new Error(`${target} answers ${response.status}: ${body}`);
    if (made < WARM_UP) continue;
    await sleep(AFTERMATH_MS);
    counts.push(counter.count() - before);
  }
  return counts.toSorted((a, b) => a - b)[Math.floor(COUNTED / 2)];
}

/** Messages begin anywhere in what arrives; each is a type, its length, and the rest. */
function readyForQueryCounter() {
  let unread = Buffer.alloc(0);
  return (bytes) => {
    let ready = 0;
    let rest = unread.length > 0 ? Buffer.concat([unread, bytes]) : bytes;
    while (rest.length >= 5 && rest.length > rest.readInt32BE(1)) {
      if (rest[0] === 0x5a) ready += 1; // Z
      rest = rest.subarray(rest.readInt32BE(1) + 1);
    }
    unread = rest;
    return ready;
  };
}
