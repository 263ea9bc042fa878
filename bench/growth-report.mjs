// From the measurements of all sizes to bench/results/growth.json and growth.md.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { EVERYBODY_CASES, KNOWN_CASES, WORKING_SET } from './growth-cases.mjs';
import { SETTINGS } from './growth-databases.mjs';
import { USERS_PER_TENANT } from './growth-seed.mjs';
import { RESULTS, rounded } from './report.mjs';
import { environmentLine } from './stage.mjs';
import { median, noiseOf } from './statistics.mjs';

/** How many times dearer the largest may be than the smallest. */
const AIM = 1.3;

const CASES = [...KNOWN_CASES, ...EVERYBODY_CASES];
const SERIES_TITLES = { tenants: 'tenants', users: 'users in one tenant' };
const MEDIANS = ['requestsPerSecond', 'p50Ms', 'p99Ms', 'serverCpuMs', 'databaseCpuMs'];

/** What must not grow: from the samples of the smallest and the largest size of the same round to a ratio that is 1 when nothing grows. */
const RATIOS = {
  throughput: (smallest, largest) => smallest.requestsPerSecond / largest.requestsPerSecond,
  p99: (smallest, largest) => largest.p99Ms / smallest.p99Ms,
  CPU: (smallest, largest) =>
    (largest.serverCpuMs + largest.databaseCpuMs) / (smallest.serverCpuMs + smallest.databaseCpuMs),
};

/**
 * @typedef {object} GrowthOutcome
 * @property {string} series
 * @property {string} case
 * @property {string} of what the ratio is
 * @property {number} ratio median over the rounds
 * @property {number} noise of the ratio over the rounds (statistics.mjs)
 * @property {number} [aim] none for what only explains
 * @property {'met' | 'missed' | 'missed, within the noise'} [outcome]
 *
 * @returns {GrowthOutcome[]}
 */
export function judgeGrowth(samples) {
  return seriesOf(samples).flatMap((series) =>
    casesOf(samples, series).flatMap(({ name, who }) => {
      const sizes = sizesOf(samples, series);
      const [smallest, largest] = [sizes[0], sizes.at(-1)].map((size) => samplesOf(samples, series, size, name));
      return Object.entries(RATIOS).map(([of, ratioOf]) => {
        const ratios = smallest.map((sample, round) => ratioOf(sample, largest[round]));
        const ratio = median(ratios);
        const noise = noiseOf(ratios);
        const judged = of === 'CPU' ? {} : { aim: AIM, outcome: outcomeOf(ratio, noise) };
        return { series, case: name, who, of, ratio, noise, ...judged };
      });
    }),
  );
}

function outcomeOf(ratio, noise) {
  if (ratio <= AIM) return 'met';
  return ratio - noise > AIM ? 'missed' : 'missed, within the noise';
}

/** One line for each. @param {GrowthOutcome[]} outcomes */
export function growthLines(outcomes) {
  return outcomes.map(({ series, case: name, of, ratio, noise, aim, outcome }) => {
    const judged = outcome ? `, aim ${aim}: ${outcome.replace(/^missed.*$/, '**$&**')}` : '';
    return `${SERIES_TITLES[series]}, ${titleOf(name)}: ${of} ${ratio.toFixed(2)} (± ${noise.toFixed(2)})${judged}`;
  });
}

/** Writes both files. @returns the Markdown */
export function writeGrowthReport(environment, options, samples, outcomes) {
  const summary = summarize(samples);
  const markdown = toMarkdown(environment, options, summary, outcomes);
  mkdirSync(RESULTS, { recursive: true });
  const json = JSON.stringify({ environment, options, settings: SETTINGS, summary, outcomes, samples }, rounded, 2);
  writeFileSync(path.join(RESULTS, 'growth.json'), `${json}\n`);
  writeFileSync(path.join(RESULTS, 'growth.md'), markdown);
  return markdown;
}

function summarize(samples) {
  return seriesOf(samples).flatMap((series) =>
    casesOf(samples, series).flatMap(({ name }) =>
      sizesOf(samples, series).map((size) => {
        const own = samplesOf(samples, series, size, name);
        const medians = MEDIANS.map((key) => [key, median(own.map((sample) => sample[key]))]);
        const errors = own.reduce((sum, sample) => sum + sample.errors, 0);
        return { series, case: name, size, ...Object.fromEntries(medians), errors };
      }),
    ),
  );
}

const seriesOf = (samples) => [...new Set(samples.map(({ series }) => series))];
const casesOf = (samples, series) =>
  CASES.filter(({ name }) => samples.some((sample) => sample.series === series && sample.case === name));
const sizesOf = (samples, series) =>
  [...new Set(samples.filter((sample) => sample.series === series).map(({ size }) => size))].toSorted((a, b) => a - b);
const samplesOf = (samples, series, size, name) =>
  samples
    .filter((sample) => sample.series === series && sample.size === size && sample.case === name)
    .toSorted((a, b) => a.round - b.round);
const titleOf = (name) => CASES.find((one) => one.name === name).title;

function toMarkdown(environment, { seconds, rounds, connections }, summary, outcomes) {
  const table = [
    ['case', 'size', 'req/s', 'p50 ms', 'p99 ms', 'server CPU ms', 'database CPU ms', 'errors'],
    ['---', '--:', '--:', '--:', '--:', '--:', '--:', '--:'],
    ...summary.map((row) => [
      titleOf(row.case),
      `${row.size.toLocaleString('en')} ${SERIES_TITLES[row.series]}`,
      row.requestsPerSecond.toFixed(0),
      row.p50Ms.toFixed(2),
      row.p99Ms.toFixed(2),
      row.serverCpuMs.toFixed(2),
      row.databaseCpuMs.toFixed(2),
      String(row.errors),
    ]),
  ];
  const linesOf = (who) => growthLines(outcomes.filter((one) => one.who === who)).map((line) => `- ${line}`);
  return [
    '# Growth',
    '',
    environmentLine(environment),
    '',
    `${USERS_PER_TENANT} users in each tenant, but for the one that grows, which has 1,000 such tenants beside it; ${connections} connections; medians of ` +
      `${rounds} rounds of ${seconds} s, in which the sizes took turns. PostgreSQL: ${Object.entries(SETTINGS)
        .map(([name, value]) => `${name} = ${value}`)
        .join(', ')}. CPU is per request.`,
    '',
    ...table.map((cells) => `| ${cells.join(' | ')} |`),
    '',
    '## From the smallest to the largest',
    '',
    'How many times dearer the largest is; 1 means that nothing grows. After ± stands the noise over the rounds (statistics.mjs). CPU (server and database together) ' +
      'has no aim; it is the quietest of the three.',
    '',
    `${WORKING_SET} callers, the same number at each size:`,
    '',
    ...linesOf('known'),
    '',
    'Each request by any of all callers, one in each tenant, so that their number grows with the tenants:',
    '',
    ...linesOf('everybody'),
    '',
  ].join('\n');
}
