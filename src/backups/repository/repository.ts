import type { Readable } from 'node:stream';

/** A file as it lies in a repository. */
export interface StoredFile {
  name: string;
  bytes: number;
  /** Of what is stored, in hex. */
  sha256: string;
}

/** Where backups lie. Names are relative, of `/`-separated parts. A repository that cannot be reached rejects, in bounded time. */
export interface BackupRepository {
  /** For messages: where it is, without a secret. */
  readonly description: string;
  /**
   * Stores a file durably, whole or not at all; nothing of a file whose content fails remains.
   * @throws NameTakenError when there is one of this name: nothing in a repository is ever changed
   */
  put(name: string, content: Readable): Promise<StoredFile>;
  /** @throws MissingFileError when there is none */
  get(name: string): Promise<Readable>;
  /** The names that begin with `prefix`, sorted. */
  list(prefix: string): Promise<string[]>;
  /** Removing what is not there is no error. */
  remove(name: string): Promise<void>;
  /** Removes what writers that were killed before that time have left; it is under no name. Undefined: the storage does so itself. */
  sweep?(before: Date): Promise<void>;
}

export class NameTakenError extends Error {
  constructor(readonly fileName: string) {
    super(`${fileName} is in the repository already.`);
    this.name = 'NameTakenError';
  }
}

export class MissingFileError extends Error {
  constructor(readonly fileName: string) {
    super(`${fileName} is not in the repository.`);
    this.name = 'MissingFileError';
  }
}

/** The repository does not do what it is asked: not reached, not allowed, full. What lies in it may well be sound. */
export class RepositoryFailedError extends Error {
  constructor(description: string, reason: string) {
    super(`${description} fails: ${reason}`);
    this.name = 'RepositoryFailedError';
  }
}
