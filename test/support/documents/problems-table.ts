import { STATUS_CODES } from 'node:http';
import { PROBLEMS } from '../../../src/http/problem-catalogue';

/** The table of docs/errors.md: every code with its status and its words. */
export function problemsTable(): string {
  const rows = Object.entries(PROBLEMS).map(([code, [status, detail]]) => [
    `\`${code}\``,
    `${status} ${STATUS_CODES[status]}`,
    detail,
  ]);
  return [['Code', 'Status', 'Says'], ['---', '---', '---'], ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}
