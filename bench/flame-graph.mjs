// Draws a CPU profile of Node's as a flame graph, and says where the time went.
// Usage: node bench/flame-graph.mjs <file.cpuprofile> <picture.svg>
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { readProfile } from './cpu-profile.mjs';

const WIDTH = 1200;
const ROW = 16;
const TOP = 30;
/** What takes less of the time is left out of the picture. */
const SMALLEST_FRAME = 0.002;
/** Rows of a table. */
const SHOWN = 10;
const LETTER_WIDTH = 6.6;
const COLORS = { Tenantry: '#2f7ed8', node: '#a8b8a0', 'garbage collection': '#c05050' };
/** Of packages: each has one of them. */
const PACKAGE_COLORS = ['#e8b56a', '#e0a070', '#d8c070', '#d0a888', '#c8b060', '#e09880', '#c0a878', '#d89858'];

/** Who calls stands above whom it calls; the width is the time. @param {import('./cpu-profile.mjs').Frame} root @returns {string} SVG */
export function flameGraph(root) {
  const rects = [];
  let depths = 0;
  const draw = (frame, x, depth) => {
    const width = (frame.total / root.total) * WIDTH;
    if (frame.total < root.total * SMALLEST_FRAME) return;
    depths = Math.max(depths, depth + 1);
    rects.push(rectOf(frame, root, { x, y: TOP + depth * ROW, width }));
    let left = x;
    for (const child of frame.children.toSorted((a, b) => b.total - a.total)) {
      draw(child, left, depth + 1);
      left += (child.total / root.total) * WIDTH;
    }
  };
  draw(root, 0, 0);
  const height = TOP + depths * ROW + 10;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="monospace" font-size="11" role="img">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="6" y="19">${(root.total / 1e6).toFixed(1)} s on the CPU. Blue: Tenantry, green: node, red: garbage collection, the rest: packages. Who calls stands above.</text>`,
    ...rects,
    '</svg>',
    '',
  ].join('\n');
}

function rectOf(frame, root, { x, y, width }) {
  const share = `${((100 * frame.total) / root.total).toFixed(1)} %`;
  const title = escapeXml(`${frame.name} (${frame.owner}) ${share} ${frame.where}`);
  const label = escapeXml(frame.name.slice(0, Math.floor((width - 4) / LETTER_WIDTH)));
  const text = label && `<text x="${(x + 2).toFixed(1)}" y="${y + 12}">${label}</text>`;
  return `<g><title>${title}</title><rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 1}" fill="${colorOf(frame.owner)}"/>${text}</g>`;
}

function colorOf(owner) {
  const sum = [...owner].reduce((total, letter) => total + letter.codePointAt(0), 0);
  return COLORS[owner] ?? PACKAGE_COLORS[sum % PACKAGE_COLORS.length];
}

const escapeXml = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** Markdown tables: of the time on the CPU, whose own code it was, and in which functions. @param {import('./cpu-profile.mjs').Frame} root */
export function hottest(root) {
  const [owners, functions] = [new Map(), new Map()];
  const count = (times, key, time) => times.set(key, (times.get(key) ?? 0) + time);
  const add = ({ owner, name, self, children }) => {
    count(owners, owner, self);
    count(functions, `${name}, ${owner}`, self);
    children.forEach(add);
  };
  add(root);
  const table = (title, times) => [
    `| ${title} | % |`,
    '| --- | --: |',
    ...[...times]
      .toSorted(([, a], [, b]) => b - a)
      .slice(0, SHOWN)
      .map(([key, time]) => `| ${key} | ${((100 * time) / root.total).toFixed(1)} |`),
    '',
  ];
  return [...table('whose code', owners), ...table('function', functions)].join('\n');
}

/** Draws the newest profile in a directory beside it. @returns {string} where, and the table */
export function drawNewestProfile(directory) {
  const profiles = readdirSync(directory)
    .filter((name) => name.endsWith('.cpuprofile'))
    .map((name) => path.join(directory, name))
    .toSorted((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  const picture = path.join(directory, 'flame-graph.svg');
  return `${picture}\n\n${drawProfile(profiles[0], picture)}`;
}

function drawProfile(file, picture) {
  const root = readProfile(file);
  writeFileSync(picture, flameGraph(root));
  return hottest(root);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [file, picture] = process.argv.slice(2);
  if (picture) console.log(drawProfile(file, picture));
  else console.error('Usage: node bench/flame-graph.mjs <file.cpuprofile> <picture.svg>');
}
