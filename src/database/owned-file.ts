import { closeSync, constants, fchownSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Account } from './unprivileged-account';

const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = constants;

/**
 * Makes a file, readable by the account (we ourselves when undefined) alone. Its directory may be the account's: as
 * root we follow no link that it could have put there.
 */
export function writeOwnedFile(file: string, text: string, account: Account | undefined): void {
  rmSync(file, { force: true });
  const descriptor = openOwned(file, O_WRONLY | O_CREAT | O_EXCL, account);
  try {
    writeFileSync(descriptor, text);
  } finally {
    closeSync(descriptor);
  }
}

/** The text of such a file. @throws Error when it is a link: as root we would show the account what it leads to */
export function readOwnedFile(file: string): string {
  const descriptor = openSync(file, O_RDONLY | O_NOFOLLOW);
  try {
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}

/** Opens a file to append to it, made when missing, with the same care. @returns its descriptor */
export function openOwnedLog(file: string, account: Account | undefined): number {
  return openOwned(file, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, account);
}

function openOwned(file: string, flags: number, account: Account | undefined): number {
  const descriptor = openSync(file, flags, 0o600);
  if (account) fchownSync(descriptor, account.uid, account.gid);
  return descriptor;
}
