// From the measurements to bench/results/recovery.json and recovery.md.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { RESULTS } from './report.mjs';

/** Whatever the size of the database (issue 4). */
export const MEMORY_BOUND_BYTES = 64e6;
const MEGABYTE = 1e6;

/**
 * @typedef {object} Sample
 * @property {number} megabytes of the cluster
 * @property {number} round
 * @property {'backup' | 'verify' | 'restore' | 'receive'} operation
 * @property {string} tool `tenantry`, or a plain one
 * @property {number} bytes of the cluster; of `receive`: of the log
 * @property {number} seconds
 * @property {number} [filesSeconds] of a restore: until its files are there
 * @property {number} [openSeconds] of a restore: until its server is open, the log replayed
 * @property {number} [idleBytes] resident, before it began
 * @property {number} [peakBytes] resident, at most
 */

/**
 * Writes both files.
 * @param {Sample[]} samples
 * @returns the Markdown, and the most memory above idle of any sample
 */
export function writeRecoveryReport(environment, options, samples) {
  const rows = options.sizes.map((megabytes) => summarize(samples.filter((sample) => sample.megabytes === megabytes)));
  const worstBytes = Math.max(...samples.map(({ peakBytes = 0, idleBytes = 0 }) => peakBytes - idleBytes));
  const markdown = render(environment, options, rows);
  const file = path.join(RESULTS, 'recovery');
  writeFileSync(`${file}.json`, `${JSON.stringify({ environment, options, rows, samples }, null, 2)}\n`);
  writeFileSync(`${file}.md`, markdown);
  return { markdown, worstBytes };
}

/** Of one size. A ratio is of the times of one round, in which the machine was the same for all; shown is the median. */
function summarize(samples) {
  const of = (operation, tool = 'tenantry') =>
    samples.filter((sample) => sample.operation === operation && sample.tool === tool);
  const speed = (found, seconds = 'seconds') =>
    median(found.map((sample) => sample.bytes / MEGABYTE / sample[seconds]));
  const ratio = (operation, tool, seconds = 'seconds') =>
    median(of(operation).map((ours, index) => of(operation, tool)[index].seconds / ours[seconds]));
  const above = (operation) =>
    Math.max(...of(operation).map(({ peakBytes, idleBytes }) => (peakBytes - idleBytes) / MEGABYTE));
  return {
    clusterMegabytes: of('backup')[0].bytes / MEGABYTE,
    storedMegabytes: of('backup')[0].storedBytes / MEGABYTE,
    backup: { speed: speed(of('backup')), tar: ratio('backup', 'tar'), gzip: ratio('backup', 'tar | gzip -1') },
    restore: {
      speed: speed(of('restore'), 'filesSeconds'),
      tar: ratio('restore', 'tar', 'filesSeconds'),
      gzip: ratio('restore', 'tar | gzip -1', 'filesSeconds'),
    },
    verifySpeed: speed(of('verify')),
    rtoSeconds: median(of('restore').map(({ openSeconds }) => openSeconds)),
    aboveIdle: Object.fromEntries(['backup', 'verify', 'restore', 'receive'].map((name) => [name, above(name)])),
  };
}

function render(environment, { rounds }, rows) {
  const { at, cpu, cores, node, postgres, loadAverage } = environment;
  const table = (heads, cells) =>
    [heads, heads.map(() => '---:'), ...rows.map(cells)].map((line) => `| ${line.join(' | ')} |`).join('\n');
  const size = ({ clusterMegabytes }) => `${clusterMegabytes.toFixed(0)} MB`;
  const times = (ratio) => `${ratio.toFixed(2)}×`;
  return `# Backups and restores

${at}, ${cpu} (${cores} cores), Node ${node}, PostgreSQL ${postgres}, ${rounds} rounds, load average at the end ${loadAverage.toFixed(1)}. Made by \`npm run bench:recovery\`
(docs/benchmark.md). × is the speed of tar's in the same round: 1.00× is as fast, 0.50× takes twice as long. Ours compresses, seals and hashes; tar does not.

${table(
  ['cluster', 'stored', 'backup', 'of tar', 'of tar, gzip -1', 'restore', 'of tar', 'of gzip, tar', 'verify'],
  (row) => [
    size(row),
    `${row.storedMegabytes.toFixed(0)} MB`,
    `${row.backup.speed.toFixed(0)} MB/s`,
    times(row.backup.tar),
    times(row.backup.gzip),
    `${row.restore.speed.toFixed(0)} MB/s`,
    times(row.restore.tar),
    times(row.restore.gzip),
    `${row.verifySpeed.toFixed(0)} MB/s`,
  ],
)}

From the beginning of a restore until its server is open, the log replayed (RTO), and the resident memory of the process above idle, at most:

${table(['cluster', 'RTO', 'backup', 'verify', 'restore', 'receiver'], (row) => [
  size(row),
  `${row.rtoSeconds.toFixed(1)} s`,
  ...Object.values(row.aboveIdle).map((megabytes) => `${megabytes.toFixed(0)} MB`),
])}
`;
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
