// From the measurements of all rounds to bench/results/latest.json and latest.md.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { CASES } from './cases.mjs';

export const RESULTS = path.join(import.meta.dirname, 'results');

/**
 * @typedef {object} Sample one candidate, case and round
 * @property {number} round
 * @property {string} case
 * @property {'tenantry' | 'peer'} candidate
 * @property {number} requests
 * @property {number} requestsPerSecond
 * @property {number} p50Ms
 * @property {number} p99Ms
 * @property {number} serverCpuMs per request
 * @property {number} databaseCpuMs per request
 * @property {number} errors
 * @property {string[]} unexpected
 */

const MEDIANS = ['requestsPerSecond', 'p50Ms', 'p99Ms', 'serverCpuMs', 'databaseCpuMs'];

/** @param {Sample[]} samples */
export function summarize(samples) {
  const cases = CASES.filter(({ name }) => samples.some((sample) => sample.case === name));
  return cases.flatMap(({ name }) => {
    const of = (candidate) => samples.filter((sample) => sample.case === name && sample.candidate === candidate);
    const [tenantry, peer] = [of('tenantry'), of('peer')];
    // Within a round the machine was the same for both; across rounds it may not have been.
    const ratios = tenantry.map((sample, round) => sample.requestsPerSecond / peer[round].requestsPerSecond);
    return [
      { case: name, candidate: 'tenantry', ...mediansOf(tenantry), ratio: median(ratios), ratios },
      { case: name, candidate: 'peer', ...mediansOf(peer), ratio: 1 },
    ];
  });
}

/** Writes both files. @returns the Markdown */
export function writeReport(environment, options, samples) {
  const summary = summarize(samples);
  const markdown = toMarkdown(environment, options, summary);
  mkdirSync(RESULTS, { recursive: true });
  const json = JSON.stringify({ environment, options, summary, samples }, rounded, 2);
  writeFileSync(path.join(RESULTS, 'latest.json'), `${json}\n`);
  writeFileSync(path.join(RESULTS, 'latest.md'), markdown);
  return markdown;
}

function mediansOf(samples) {
  const medians = MEDIANS.map((key) => [key, median(samples.map((sample) => sample[key]))]);
  return { ...Object.fromEntries(medians), errors: samples.reduce((sum, { errors }) => sum + errors, 0) };
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
}

function toMarkdown(environment, { seconds, rounds, connections }, summary) {
  const table = [
    ['case', 'candidate', 'req/s', 'p50 ms', 'p99 ms', 'server CPU ms', 'database CPU ms', 'errors', 'ratio'],
    ['---', '---', '--:', '--:', '--:', '--:', '--:', '--:', '--:'],
    ...summary.map((row) => [
      titleOf(row.case),
      row.candidate === 'tenantry' ? '**Tenantry**' : 'peer',
      row.requestsPerSecond.toFixed(0),
      row.p50Ms.toFixed(2),
      row.p99Ms.toFixed(2),
      row.serverCpuMs.toFixed(2),
      row.databaseCpuMs.toFixed(2),
      String(row.errors),
      row.candidate === 'tenantry' ? `**${row.ratio.toPrecision(2)}**` : '1.00',
    ]),
  ];
  return [
    '# Benchmark',
    '',
    `${environment.date}, commit ${environment.commit}. Node ${environment.node}, PostgreSQL ${environment.postgres}, ` +
      `${environment.cores} cores (${environment.cpu}), load average ${environment.loadAverage.map((load) => load.toFixed(1)).join(' at the start, ')} at the end.`,
    '',
    `${environment.tenants} tenants with ${environment.usersPerTenant} users each; ${connections} connections; ` +
      `medians of ${rounds} rounds of ${seconds} s, in which the candidates took turns. Load generator, server and database share the ` +
      'machine, so only the ratios (requests per second within one round, Tenantry to peer) mean something elsewhere.',
    '',
    ...table.map((cells) => `| ${cells.join(' | ')} |`),
    '',
    'CPU is per request. The peer is plain Fastify and `pg` with prepared statements and response schemas, without authentication, ' +
      'row-level security or checks:',
    '',
    ...CASES.filter(({ name }) => summary.some((row) => row.case === name)).map(
      ({ title, peer }) => `- ${title}: ${peer}.`,
    ),
    '',
  ].join('\n');
}

const titleOf = (name) => CASES.find((one) => one.name === name).title;

/** JSON with the digits that mean something. */
function rounded(_key, value) {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}
