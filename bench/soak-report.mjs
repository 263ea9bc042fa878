// What the memory of a soak says, and bench/results/soak.{json,md}.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { RESULTS, rounded } from './report.mjs';
import { environmentLine } from './stage.mjs';
import { median } from './statistics.mjs';

const MEGABYTE = 1e6;
const IDLE_AIM_BYTES = 200 * MEGABYTE;
const LOADED_AIM_BYTES = 300 * MEGABYTE;
/** By so much of its median the memory may rise over the last two thirds of the load, along the line of least squares. */
const RISE_AIM = 0.02;
/** The end of the idle time, whose median counts. */
const IDLE_SECONDS = 10;

/**
 * @typedef {object} MemorySample
 * @property {'start' | 'idle' | 'greeting' | 'load' | 'after'} phase
 * @property {number} seconds since the phase began
 * @property {number} residentBytes
 *
 * @param {{ samples: MemorySample[], peakBytes: number }} measured peakBytes: of the load
 */
export function judgeMemory({ samples, peakBytes }) {
  const idleBytes = endOf(samples, 'idle');
  const afterBytes = endOf(samples, 'after');
  const load = samples.filter(({ phase }) => phase === 'load');
  const steady = load.slice(Math.floor(load.length / 3));
  const loadedBytes = median(steady.map(({ residentBytes }) => residentBytes));
  const slope = slopeOf(steady);
  const rise = (slope * (steady.at(-1).seconds - steady[0].seconds)) / loadedBytes;
  return {
    idleBytes,
    loadedBytes,
    peakBytes,
    afterBytes,
    bytesPerMinute: slope * 60,
    rise,
    aims: [
      { name: 'idle', isMet: idleBytes <= IDLE_AIM_BYTES },
      { name: 'loaded', isMet: peakBytes <= LOADED_AIM_BYTES },
      { name: 'flat', isMet: rise <= RISE_AIM },
    ],
  };
}

function endOf(samples, wanted) {
  const own = samples.filter(({ phase }) => phase === wanted);
  return median(own.slice(-IDLE_SECONDS).map(({ residentBytes }) => residentBytes));
}

/** Bytes per second, by least squares. */
function slopeOf(samples) {
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanTime, meanBytes] = [
    mean(samples.map((one) => one.seconds)),
    mean(samples.map((one) => one.residentBytes)),
  ];
  const products = samples.map((one) => (one.seconds - meanTime) * (one.residentBytes - meanBytes));
  return mean(products) / mean(samples.map((one) => (one.seconds - meanTime) ** 2));
}

export function soakLines(result) {
  const { startSeconds, requests, errors, idleBytes, loadedBytes, peakBytes, afterBytes, bytesPerMinute, rise } =
    result;
  const mb = (bytes) => `${(bytes / MEGABYTE).toFixed(0)} MB`;
  const judged = (name) => (result.aims.find((one) => one.name === name).isMet ? 'met' : '**missed**');
  return [
    `Ready after ${startSeconds.toFixed(1)} s.`,
    `Idle: ${mb(idleBytes)}, aim ${mb(IDLE_AIM_BYTES)}: ${judged('idle')}.`,
    `Under load: ${mb(loadedBytes)}, at most ${mb(peakBytes)}, aim ${mb(LOADED_AIM_BYTES)}: ${judged('loaded')}.`,
    `Over the last two thirds of the load: ${(bytesPerMinute / MEGABYTE).toFixed(2)} MB a minute, ` +
      `${(rise * 100).toFixed(1)} % in all, aim ${RISE_AIM * 100} %: ${judged('flat')}.`,
    `Idle again: ${mb(afterBytes)}.`,
    `${requests} requests, ${errors} errors.`,
  ];
}

/** Writes both files. */
export function writeSoakReport(environment, options, result, samples) {
  const { minutes, idle, visitors } = options;
  const markdown = [
    '# Memory',
    '',
    environmentLine(environment),
    '',
    `Resident memory of the Tenantry process, the database not counted: idle for ${idle} min, then ${minutes} min of all kinds of requests from ${visitors} visitors without a pause.`,
    '',
    ...soakLines(result).map((line) => `- ${line}`),
    '',
    '| minute of load | median MB | most MB |',
    '| --: | --: | --: |',
    ...byMinute(samples).map(
      ({ minute, bytes }) =>
        `| ${minute} | ${(median(bytes) / MEGABYTE).toFixed(0)} | ${(Math.max(...bytes) / MEGABYTE).toFixed(0)} |`,
    ),
    '',
  ].join('\n');
  mkdirSync(RESULTS, { recursive: true });
  const series = samples.map(({ phase, seconds, residentBytes }) => [phase, Math.round(seconds), residentBytes]);
  const json = JSON.stringify({ environment, options, result }, rounded, 2);
  const table = series.map((row) => `    ${JSON.stringify(row)}`).join(',\n');
  writeFileSync(path.join(RESULTS, 'soak.json'), `${json.slice(0, -2)},\n  "samples": [\n${table}\n  ]\n}\n`);
  writeFileSync(path.join(RESULTS, 'soak.md'), markdown);
}

function byMinute(samples) {
  const load = samples.filter(({ phase }) => phase === 'load');
  const minutes = [...new Set(load.map(({ seconds }) => Math.floor(seconds / 60)))];
  return minutes.map((from) => ({
    minute: from + 1,
    bytes: load.filter(({ seconds }) => Math.floor(seconds / 60) === from).map(({ residentBytes }) => residentBytes),
  }));
}
