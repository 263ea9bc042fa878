// The part `throughput`: requests per second, as many as each candidate can answer.
import { setTimeout as sleep } from 'node:timers/promises';
import { candidatesOf } from './candidates.mjs';
import { CASES } from './cases.mjs';
import { cpuOfPostgres, cpuOfProcess } from './cpu.mjs';
import { inTurn, median, ratiosByRound } from './statistics.mjs';

/** In which a server finishes what the load generator no longer waited for. */
const SETTLE_MS = 200;
const MEDIANS = ['requestsPerSecond', 'p50Ms', 'p99Ms', 'serverCpuMs', 'databaseCpuMs'];

/**
 * @typedef {object} Sample one candidate, case and round
 * @property {number} round
 * @property {string} case
 * @property {import('./candidates.mjs').Candidate} candidate
 * @property {number} requests
 * @property {number} requestsPerSecond
 * @property {number} p50Ms
 * @property {number} p99Ms
 * @property {number} serverCpuMs per request
 * @property {number} databaseCpuMs per request
 * @property {number} errors
 * @property {string[]} unexpected
 */

/**
 * Rounds of cases of candidates: those of a case run next to each other, and who begins changes from round to round.
 * @param {Sample[]} samples gets them one by one
 */
export async function measureThroughput({ rounds, seconds, connections, warmUp }, setup, samples) {
  const { servers, load, cases } = await setup.serve();
  const measure = (caseName, candidate, duration) =>
    load.measure({ caseName, candidate, url: servers[candidate].url, connections, seconds: duration });
  for (const oneCase of cases) {
    for (const candidate of candidatesOf(oneCase)) await measure(oneCase.name, candidate, warmUp);
  }
  for (let round = 1; round <= rounds; round += 1) {
    for (const oneCase of cases) {
      const { name } = oneCase;
      for (const candidate of inTurn(candidatesOf(oneCase), round)) {
        await sleep(SETTLE_MS);
        if (name === 'login') await setup.forgetAttempts();
        const cpu = cpuMeter(servers[candidate].pid, setup.database.dataDir);
        const { seconds: took, ...measurement } = await measure(name, candidate, seconds);
        const { requests } = measurement;
        const sample = {
          round,
          case: name,
          candidate,
          ...measurement,
          requestsPerSecond: requests / took,
          ...cpu.perRequest(requests),
        };
        samples.push(sample);
        console.log(`round ${round}  ${name.padEnd(17)} ${candidate.padEnd(11)} ${describe(sample)}`);
      }
    }
  }
}

function cpuMeter(pid, dataDir) {
  const read = () => [cpuOfProcess(pid), cpuOfPostgres(dataDir)];
  const [server, postgres] = read();
  return {
    perRequest(requests) {
      const [serverNow, postgresNow] = read();
      return { serverCpuMs: (serverNow - server) / requests, databaseCpuMs: (postgresNow - postgres) / requests };
    },
  };
}

const describe = ({ requestsPerSecond, p50Ms, p99Ms, serverCpuMs, databaseCpuMs }) =>
  `${requestsPerSecond.toFixed(0).padStart(6)} req/s   p50 ${p50Ms.toFixed(2)} ms   p99 ${p99Ms.toFixed(2)} ms   ` +
  `CPU ${serverCpuMs.toFixed(2)} + ${databaseCpuMs.toFixed(2)} ms`;

/**
 * Medians over the rounds; `ratio` is to the peer, within one round: the machine was the same for all then.
 * @param {Sample[]} samples
 */
export function summarizeThroughput(samples) {
  return CASES.flatMap((oneCase) =>
    candidatesOf(oneCase).flatMap((candidate) => {
      const own = samplesOf(samples, oneCase.name, candidate);
      const ratios = ratiosByRound(own, samplesOf(samples, oneCase.name, 'peer'), requestsPerSecond);
      if (ratios.length === 0) return [];
      const medians = MEDIANS.map((key) => [key, median(own.map((sample) => sample[key]))]);
      const errors = own.reduce((sum, sample) => sum + sample.errors, 0);
      const name = oneCase.name;
      return [{ case: name, candidate, ...Object.fromEntries(medians), errors, ratio: median(ratios), ratios }];
    }),
  );
}

/** Tenantry with each of the others. @returns {import('./aims.mjs').Comparison[]} */
export function compareThroughput(samples) {
  return CASES.flatMap((oneCase) => {
    const own = samplesOf(samples, oneCase.name, 'tenantry');
    const others = candidatesOf(oneCase).filter((candidate) => candidate !== 'tenantry');
    return others.map((to) => {
      const ratios = ratiosByRound(own, samplesOf(samples, oneCase.name, to), requestsPerSecond);
      return { part: 'throughput', case: oneCase.name, to, ratios };
    });
  });
}

const requestsPerSecond = (sample) => sample.requestsPerSecond;

const samplesOf = (samples, name, candidate) =>
  samples.filter((sample) => sample.case === name && sample.candidate === candidate);
