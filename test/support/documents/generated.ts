import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../source-tree';

/** `npm run docs` sets it: what is stale is written anew instead of failing. */
const UPDATING = process.env.UPDATE_DOCS === '1';

/** A file of the checkout. */
export function read(file: string): string {
  return readFileSync(path.join(ROOT, file), 'utf8');
}

/** The committed file as it is. With UPDATE_DOCS=1 it is first written as it should be. */
export function committed(file: string, content: string): string {
  if (UPDATING) writeFileSync(path.join(ROOT, file), content);
  return read(file);
}

/**
 * A file with a generated part between `<!-- name: begin … -->` and `<!-- name: end -->`.
 * @returns it as it is, and as it should be
 */
export function committedPart(file: string, name: string, part: string): { actual: string; expected: string } {
  const current = read(file);
  const markers = new RegExp(`(<!-- ${name}: begin[^>]*-->\n).*?(\n<!-- ${name}: end -->)`, 's');
  if (!markers.test(current)) throw new Error(`${file} lacks the markers of "${name}".`);
  const expected = current.replace(markers, (_, begin: string, end: string) => `${begin}\n${part}\n${end}`);
  return { actual: committed(file, UPDATING ? expected : current), expected };
}
