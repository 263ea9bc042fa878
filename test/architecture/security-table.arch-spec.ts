import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.resolve(__dirname, '..', '..');
const LINES = 60;
/** `| 7 | what is tried | `file`: "name" |`, or `open: …` in place of the test. */
const ROW = /^\| +(\d+) +\| (.+?) +\| (?:`(.+?)`: "(.+)"|(open: .+?)) +\|$/gm;

const rows = [...readFileSync(path.join(ROOT, 'docs/security.md'), 'utf8').matchAll(ROW)].map(
  ([, number, , file, name, open]) => ({
    number: Number(number),
    file,
    name,
    open,
  }),
);

describe('docs/security.md', () => {
  it('has each line once', () => {
    expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: LINES }, (_, index) => index + 1));
  });

  it.each(rows.filter(({ file }) => file))('line $number names a test that exists', ({ file, name }) => {
    const spec = path.join(ROOT, file!);
    expect(existsSync(spec)).toBe(true);
    expect(readFileSync(spec, 'utf8').replaceAll("\\'", "'")).toContain(name);
  });
});
