import { readFile } from 'node:fs/promises';
import { DEMO_PASSWORD } from './settings.mjs';

const WALK = new URL('../../docs/walk.md', import.meta.url);
const BASE_LINE = /^BASE=.*$/m;
const PASSWORD_LINE = /^PASSWORD=.*$/m;

/**
 * docs/walk.md for a terminal: every command as it can be pasted, everything else as comments.
 * @param {{ baseUrl: string, password: string }} settings
 */
export async function printableWalk({ baseUrl, password }) {
  const lines = [];
  let fence;
  for (const line of (await readFile(WALK, 'utf8')).split('\n')) {
    const [, language] = /^```(\w*)$/.exec(line) ?? [];
    if (language !== undefined) fence = fence === undefined ? language : undefined;
    else if (fence === 'sh') lines.push(line);
    else if (line === '') lines.push('');
    else lines.push(fence === undefined ? `# ${line.replace(/^#+ /, '')}` : `#   ${line}`);
  }
  return lines
    .join('\n')
    .replace(BASE_LINE, `BASE=${baseUrl}`)
    .replace(PASSWORD_LINE, password === DEMO_PASSWORD ? '$&' : 'PASSWORD="$DEMO_PASSWORD"');
}
