import { parseLsn } from '../database/wal-stream';
import type { Timeline } from './coverage';

/** Lines of `<timeline> <position> <reason>` (PostgreSQL's timeline history files). */
export function parseHistory(content: string): Timeline['history'] {
  return content.split('\n').flatMap((line) => {
    const [timeline, position] = line.split('\t');
    return timeline && position ? [{ timeline: Number(timeline), until: parseLsn(position) }] : [];
  });
}
