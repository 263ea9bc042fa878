// From what was measured to bench/results/latest.json, latest.md, ratios.svg and aims.svg.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { TITLES } from './candidates.mjs';
import { titleOf } from './aim-lines.mjs';
import { plotAims } from './aims-plot.mjs';
import { toMarkdown } from './report-markdown.mjs';
import { plot } from './plot.mjs';

export const RESULTS = path.join(import.meta.dirname, 'results');

/**
 * @typedef {object} Report
 * @property {object} environment
 * @property {object} options
 * @property {Record<string, { summary: object, samples: object[] }>} figures by part
 * @property {import('./aims.mjs').Outcome[]} aims
 * @property {{ part: string, message: string }[]} failures
 */

/** Writes all of them. @param {Report} report @returns the Markdown */
export function writeReport(report) {
  const { environment, options, figures, aims, failures } = report;
  const { seconds, rounds, connections, warmUp } = options;
  const json = { environment, options: { seconds, rounds, connections, warmUp }, aims, failures, figures };
  const markdown = toMarkdown(report);
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(path.join(RESULTS, 'latest.json'), `${JSON.stringify(json, rounded, 2)}\n`);
  writeFileSync(path.join(RESULTS, 'latest.md'), markdown);
  writeFileSync(path.join(RESULTS, 'aims.svg'), plotAims(aims));
  if (figures.throughput) {
    writeFileSync(path.join(RESULTS, 'ratios.svg'), plot(groupsOf(figures.throughput.summary), TITLES));
  }
  return markdown;
}

/** The plot's bars, case by case. */
function groupsOf(summary) {
  const names = new Set(summary.map((row) => row.case));
  return [...names].map((name) => ({
    title: titleOf(name),
    bars: summary.filter((row) => row.case === name).map(({ candidate, ratio }) => ({ candidate, ratio })),
  }));
}

/** JSON with the digits that mean something. */
export function rounded(_key, value) {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}
