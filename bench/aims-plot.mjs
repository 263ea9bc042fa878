// The picture of the aims, bench/results/aims.svg: readable on white and on black.
import { aimOf, measuredOf, whatOf } from './aim-lines.mjs';

const LABEL_WIDTH = 500;
const SCALE_WIDTH = 280;
const VALUE_WIDTH = 170;
const ROW = 18;
const TOP = 44;
/** The scale is logarithmic and ends where something is so many times better, or worse, than its aim. */
const END = 10;
const COLORS = { met: '#3a9d5d', 'missed, within the noise': '#d9a02b', missed: '#d05040' };

/**
 * A dot for each aim, on the right of the line when it is met, with its noise.
 * @param {import('./aims.mjs').Outcome[]} aims
 * @returns {string} SVG
 */
export function plotAims(aims) {
  const drawn = aims.filter(({ atMost }) => atMost !== 0); // nothing is a number of times better than none
  const width = LABEL_WIDTH + SCALE_WIDTH + VALUE_WIDTH;
  const bottom = TOP + drawn.length * ROW;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${bottom + 10}" width="${width}" height="${bottom + 10}" font-family="sans-serif" font-size="12" fill="#808080" role="img">`,
    text(10, 18, 'What was measured against each aim; on the right of the line it is met'),
    text(placeOf(1 / END), 36, `${END} times worse`, 'start'),
    text(placeOf(END), 36, `${END} times better`, 'end'),
    `<line x1="${placeOf(1)}" y1="${TOP - 4}" x2="${placeOf(1)}" y2="${bottom}" stroke="#808080"/>`,
    ...drawn.flatMap((one, row) => rowOf(one, TOP + row * ROW)),
    '</svg>',
    '',
  ].join('\n');
}

function rowOf(outcome, y) {
  const { ratio, noise } = outcome;
  const [at, worst, best] = [ratio, Math.max(0, ratio - noise), ratio + noise].map((value) =>
    placeOf(timesBetter(value, outcome)),
  );
  const color = COLORS[outcome.outcome];
  return [
    text(LABEL_WIDTH - 10, y + 13, whatOf(outcome), 'end'),
    `<line x1="${worst}" y1="${y + 9}" x2="${best}" y2="${y + 9}" stroke="${color}" stroke-width="2" opacity="0.5"/>`,
    `<circle cx="${at}" cy="${y + 9}" r="5" fill="${color}"/>`,
    text(LABEL_WIDTH + SCALE_WIDTH + 10, y + 13, `${measuredOf(outcome)}  (aim ${aimOf(outcome)})`),
  ];
}

const timesBetter = (value, { atLeast, atMost }) => (atLeast === undefined ? atMost / value : value / atLeast);

function placeOf(times) {
  const bounded = times > 0 ? Math.min(END, Math.max(1 / END, times)) : 1 / END;
  return (LABEL_WIDTH + ((Math.log10(bounded) / Math.log10(END) + 1) / 2) * SCALE_WIDTH).toFixed(1);
}

const text = (x, y, content, anchor = 'start') =>
  `<text x="${x}" y="${y}" text-anchor="${anchor}">${content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</text>`;
