// From the measurements of all rounds to bench/results/latest.json, latest.md and ratios.svg.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { judgeRatios, judgeRoundTrips } from './aims.mjs';
import { CANDIDATES, TITLES } from './candidates.mjs';
import { CASES } from './cases.mjs';
import { plot } from './plot.mjs';

export const RESULTS = path.join(import.meta.dirname, 'results');

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

const MEDIANS = ['requestsPerSecond', 'p50Ms', 'p99Ms', 'serverCpuMs', 'databaseCpuMs'];

/**
 * @param {Sample[]} samples
 * @param {{ case: string, candidate: string, roundTrips: number }[]} counts
 */
export function summarize(samples, counts) {
  const cases = CASES.filter(({ name }) => samples.some((sample) => sample.case === name));
  return cases.flatMap(({ name }) => {
    const peer = samplesOf(samples, name, 'peer');
    return CANDIDATES.flatMap((candidate) => {
      const own = samplesOf(samples, name, candidate);
      if (own.length === 0) return [];
      // Within a round the machine was the same for all; across rounds it may not have been.
      const ratios = own.map((sample, round) => sample.requestsPerSecond / peer[round].requestsPerSecond);
      const { roundTrips, ofStrangers } = counts.find((one) => one.case === name && one.candidate === candidate);
      return [{ case: name, candidate, ...mediansOf(own), roundTrips, ofStrangers, ratio: median(ratios), ratios }];
    });
  });
}

/** What became of the aims. @returns {{ ratios: import('./aims.mjs').Outcome[], roundTrips: object[] }} */
export function judge(samples, counts) {
  return {
    ratios: judgeRatios((name, candidate) => samplesOf(samples, name, candidate), median),
    roundTrips: judgeRoundTrips(counts),
  };
}

/** Writes all three files. @returns the Markdown */
export function writeReport(environment, options, samples, counts) {
  const summary = summarize(samples, counts);
  const aims = judge(samples, counts);
  const markdown = toMarkdown(environment, options, summary, aims);
  mkdirSync(RESULTS, { recursive: true });
  const json = JSON.stringify({ environment, options, summary, aims, samples }, rounded, 2);
  writeFileSync(path.join(RESULTS, 'latest.json'), `${json}\n`);
  writeFileSync(path.join(RESULTS, 'latest.md'), markdown);
  writeFileSync(path.join(RESULTS, 'ratios.svg'), plot(groupsOf(summary), TITLES));
  return markdown;
}

/** One line for each aim. */
export function aimLines({ ratios, roundTrips }) {
  return [
    ...ratios.map(
      ({ case: name, to, aim, ratio, noise, outcome }) =>
        `${titleOf(name)}: ${ratio.toPrecision(2)} (± ${noise.toPrecision(1)}) times ${TITLES[to]}, aim ${aim}: ${outcome}`,
    ),
    ...roundTrips.map((one) => `${titleOf(one.case)}: round trips ${one.roundTrips}, aim ${one.aim}: ${one.outcome}`),
  ];
}

const samplesOf = (samples, name, candidate) =>
  samples.filter((sample) => sample.case === name && sample.candidate === candidate);

/** The plot's bars, case by case. */
function groupsOf(summary) {
  const names = new Set(summary.map((row) => row.case));
  return [...names].map((name) => ({
    title: titleOf(name),
    bars: summary.filter((row) => row.case === name).map(({ candidate, ratio }) => ({ candidate, ratio })),
  }));
}

function mediansOf(samples) {
  const medians = MEDIANS.map((key) => [key, median(samples.map((sample) => sample[key]))]);
  return { ...Object.fromEntries(medians), errors: samples.reduce((sum, { errors }) => sum + errors, 0) };
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
}

function toMarkdown(environment, { seconds, rounds, connections }, summary, aims) {
  const table = [
    [
      'case',
      'candidate',
      'req/s',
      'p50 ms',
      'p99 ms',
      'server CPU ms',
      'database CPU ms',
      'round trips',
      'errors',
      'ratio',
    ],
    ['---', '---', '--:', '--:', '--:', '--:', '--:', '--:', '--:', '--:'],
    ...summary.map((row) => [
      titleOf(row.case),
      row.candidate === 'tenantry' ? '**Tenantry**' : TITLES[row.candidate],
      row.requestsPerSecond.toFixed(0),
      row.p50Ms.toFixed(2),
      row.p99Ms.toFixed(2),
      row.serverCpuMs.toFixed(2),
      row.databaseCpuMs.toFixed(2),
      row.ofStrangers === row.roundTrips ? String(row.roundTrips) : `${row.roundTrips} (${row.ofStrangers})`,
      String(row.errors),
      row.candidate === 'tenantry' ? `**${row.ratio.toPrecision(2)}**` : row.ratio.toPrecision(2),
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
      'machine, so only the ratios (requests per second within one round, to those of Fastify + pg) mean something elsewhere.',
    '',
    ...table.map((cells) => `| ${cells.join(' | ')} |`),
    '',
    '## Aims',
    '',
    'After ± stands half of the span of the ratio over the rounds, its noise.',
    '',
    ...aimLines(aims).map((line) => `- ${line.replace(/missed.*$/, '**$&**')}`),
    '',
    '## What each does',
    '',
    'CPU and round trips (to PostgreSQL, of a request that comes alone; in brackets when its caller comes for the first time) are per request. Fastify + pg has prepared statements and ' +
      'response schemas, and no authentication, row-level security or checks. The usual stack is Express, jose and class-transformer, ' +
      'and Prisma with the documented row-level security extension; it looks up no session and no permission.',
    '',
    ...CASES.filter(({ name }) => summary.some((row) => row.case === name)).flatMap((one) =>
      CANDIDATES.filter((candidate) => one[candidate]).map(
        (candidate) => `- ${one.title}, ${TITLES[candidate]}: ${doneBy(one[candidate])}.`,
      ),
    ),
    '',
  ].join('\n');
}

/** A case's words on a candidate, which may stand beside a request of its own. */
const doneBy = (words) => words.does ?? words;

const titleOf = (name) => CASES.find((one) => one.name === name).title;

/** JSON with the digits that mean something. */
export function rounded(_key, value) {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}
