import { pipeline, Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  paginateListObjectsV2,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { BackupBucket } from '../../config/backup-bucket';
import { MeasuringStream } from './measuring-stream';
import { type BackupRepository, MissingFileError, NameTakenError, type StoredFile } from './repository';
import { openS3Client, S3FailedError, type S3Limits } from './s3-client';
import { ObjectExistsError, S3Upload } from './s3-upload';

const LIMITS: S3Limits = { connectTimeoutMs: 5_000, idleTimeoutMs: 30_000, attempts: 3 };
const RETRY_DELAY_MS = 500;

/** Backups in S3-compatible object storage. An object appears when the last of its bytes has arrived, or not at all. */
export class S3Repository implements BackupRepository {
  readonly description: string;
  private readonly client: S3Client;

  constructor(
    private readonly place: BackupBucket,
    private readonly limits = LIMITS,
  ) {
    const { bucket, prefix, endpoint, region } = place;
    this.description = `the bucket ${bucket}${prefix && ` (${prefix})`} of ${endpoint ?? `AWS in ${region}`}`;
    this.client = openS3Client(place, this.description, limits);
  }

  async put(name: string, content: Readable): Promise<StoredFile> {
    const target = this.target(name);
    const measure = new MeasuringStream();
    // Whatever fails, the one or the other, is what this call rejects with.
    for (const stream of [content, measure]) stream.on('error', () => undefined);
    try {
      // Not every server knows the condition that the upload has; and nobody waits for gigabytes to be told so in the end.
      if (await this.has(target)) throw new ObjectExistsError();
      pipeline(content, measure, () => undefined);
      await new S3Upload(this.client, target).run(measure);
      return measure.result(name);
    } catch (error) {
      const reason = error instanceof ObjectExistsError ? new NameTakenError(name) : (error as Error);
      content.destroy(reason);
      throw reason;
    }
  }

  async get(name: string): Promise<Readable> {
    const target = this.target(name);
    try {
      const answer = await this.client.send(new GetObjectCommand(target));
      return Readable.from(this.bytesOf(target, answer), { objectMode: false });
    } catch (error) {
      throw error instanceof S3FailedError && error.code === 'NoSuchKey' ? new MissingFileError(name) : error;
    }
  }

  async list(prefix: string): Promise<string[]> {
    const names: string[] = [];
    const request = { Bucket: this.place.bucket, Prefix: `${this.place.prefix}${prefix}` };
    for await (const { Contents = [] } of paginateListObjectsV2({ client: this.client }, request))
      names.push(...Contents.map(({ Key }) => Key!.slice(this.place.prefix.length)));
    return names.toSorted();
  }

  async remove(name: string): Promise<void> {
    await this.client.send(new DeleteObjectCommand(this.target(name)));
  }

  /** A download that is cut off goes on where it was: a base backup may take hours. */
  private async *bytesOf(target: Target, first: GetObjectCommandOutput): AsyncGenerator<Buffer> {
    const { ContentLength: length = 0, ETag: etag } = first;
    let body = first.Body as Readable;
    let offset = 0;
    for (let failures = 0; ;) {
      try {
        for await (const chunk of body as AsyncIterable<Buffer>) {
          offset += chunk.length;
          failures = 0;
          yield chunk;
        }
        if (offset >= length) return;
        throw new Error(`it ends after ${offset} of ${length} bytes`);
      } catch (error) {
        failures += 1;
        if (failures >= this.limits.attempts) {
          const { code, name, message } = error as NodeJS.ErrnoException;
          throw new S3FailedError(this.description, code ?? name, undefined, `${target.Key}: ${message}`);
        }
      }
      await sleep(RETRY_DELAY_MS * failures);
      const rest = { ...target, Range: `bytes=${offset}-`, IfMatch: etag };
      body = (await this.client.send(new GetObjectCommand(rest))).Body as Readable;
    }
  }

  private async has(target: Target): Promise<boolean> {
    try {
      await this.client.send(new HeadObjectCommand(target));
      return true;
    } catch (error) {
      if (error instanceof S3FailedError && error.status === 404) return false;
      throw error;
    }
  }

  private target(name: string): Target {
    return { Bucket: this.place.bucket, Key: `${this.place.prefix}${name}` };
  }
}

interface Target {
  Bucket: string;
  Key: string;
}
