import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { writeOwnedFile } from '../../database/owned-file';
import type { Account } from '../../database/unprivileged-account';

/**
 * Marks what tells where a timeline began for PostgreSQL to archive. It begins while a recovered cluster archives nothing; the
 * segments that are written then are archived later by themselves, and this file is not: without it no backup leads there.
 */
export function markHistories(pgData: string, account: Account | undefined): void {
  const log = path.join(pgData, 'pg_wal');
  const status = path.join(log, 'archive_status');
  for (const name of readdirSync(log).filter((one) => one.endsWith('.history'))) {
    const isKnown = ['done', 'ready'].some((state) => existsSync(path.join(status, `${name}.${state}`)));
    if (!isKnown) writeOwnedFile(path.join(status, `${name}.ready`), '', account);
  }
}
