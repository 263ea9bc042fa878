import { createHash } from 'node:crypto';
import { Transform, type TransformCallback } from 'node:stream';
import type { StoredFile } from './repository';

/** Counts and hashes what passes through on its way into a repository. */
export class MeasuringStream extends Transform {
  private readonly hash = createHash('sha256');
  private bytes = 0;

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.hash.update(chunk);
    this.bytes += chunk.length;
    done(undefined, chunk);
  }

  /** Once, after the end. @param name of the file that it was */
  result(name: string): StoredFile {
    return { name, bytes: this.bytes, sha256: this.hash.digest('hex') };
  }
}
