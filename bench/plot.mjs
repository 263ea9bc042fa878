// The picture of the ratios, bench/results/ratios.svg: readable on white and on black.

const LABEL_WIDTH = 200;
const BAR_WIDTH = 380;
const BAR_HEIGHT = 14;
const VALUE_WIDTH = 60;
const GAP = 14;
const TOP = 56;
const COLORS = { tenantry: '#2f7ed8', peer: '#8c8c8c', usual: '#d9822b', betterAuth: '#7a5cc4' };

/**
 * Horizontal bars, one group for each case; 1 is `Fastify + pg`.
 * @param {{ title: string, bars: { candidate: string, ratio: number }[] }[]} groups
 * @param {Record<string, string>} titles of the candidates
 * @returns {string} SVG
 */
export function plot(groups, titles) {
  const most = Math.max(1, ...groups.flatMap(({ bars }) => bars.map(({ ratio }) => ratio)));
  const width = LABEL_WIDTH + BAR_WIDTH + VALUE_WIDTH;
  const parts = [];
  let y = TOP;
  for (const { title, bars } of groups) {
    parts.push(text(LABEL_WIDTH - 10, y + (bars.length * BAR_HEIGHT) / 2 + 4, title, 'end'));
    for (const { candidate, ratio } of bars) {
      const length = (ratio / most) * BAR_WIDTH;
      parts.push(
        `<rect x="${LABEL_WIDTH}" y="${y}" width="${length.toFixed(1)}" height="${BAR_HEIGHT - 2}" fill="${COLORS[candidate]}"/>`,
        text(LABEL_WIDTH + length + 5, y + BAR_HEIGHT - 4, ratio.toPrecision(2)),
      );
      y += BAR_HEIGHT;
    }
    y += GAP;
  }
  const shown = Object.keys(titles).filter((name) =>
    groups.some(({ bars }) => bars.some((bar) => bar.candidate === name)),
  );
  const legend = shown.map((candidate, index) => {
    const x = 10 + index * 150;
    return `<rect x="${x}" y="30" width="11" height="11" fill="${COLORS[candidate]}"/>${text(x + 16, 40, titles[candidate])}`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}" font-family="sans-serif" font-size="12" fill="#808080" role="img">`,
    text(10, 18, 'Requests per second, Fastify + pg = 1 (same round, same machine, same data)'),
    ...legend,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

const text = (x, y, content, anchor = 'start') =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</text>`;
