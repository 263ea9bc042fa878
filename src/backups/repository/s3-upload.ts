import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  type CompletedPart,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { S3FailedError } from './s3-client';

/** S3 takes parts of 5 MiB and more, all of one size where the server is Cloudflare's. */
const PART_BYTES = 8 * 1024 * 1024;
/** S3's own bound; of our parts they are 78 GiB. */
const MAX_PARTS = 10_000;
/** One is filled while the others are on their way. */
const PARTS_HELD = 3;
/** Under this name an object tells which upload made it. */
const UPLOAD = 'tenantry-upload';

/** There is an object of this name, which another upload has made. */
export class ObjectExistsError extends Error {}

/**
 * One upload of a stream, whole or not at all, that replaces nothing. (lib-storage's Upload does as much, but holds more in
 * memory, and cannot do without `If-None-Match` where a server does not know it.)
 */
export class S3Upload {
  private readonly id = randomUUID();
  private readonly abort = new AbortController();
  private readonly freeBuffers: Buffer[] = [];
  private readonly sending = new Set<Promise<void>>();
  private readonly parts: CompletedPart[] = [];
  private uploadId: string | undefined;

  constructor(
    private readonly client: S3Client,
    private readonly target: { Bucket: string; Key: string },
  ) {}

  /** @throws ObjectExistsError; the server's error; the content's, which is destroyed with the reason where something else fails */
  async run(content: Readable): Promise<void> {
    try {
      const rest = await this.sendFullParts(content);
      await this.create(rest);
    } catch (error) {
      content.destroy(error as Error);
      this.abort.abort();
      await Promise.allSettled(this.sending);
      await this.removeParts();
      throw error;
    }
  }

  /** @returns what is left for the last part */
  private async sendFullParts(content: Readable): Promise<Buffer> {
    let part = await this.freeBuffer();
    let filled = 0;
    // By itself the loop would destroy the stream without the reason.
    for await (const chunk of content.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      for (let offset = 0; offset < chunk.length;) {
        // A part is sent when more is to come: the last one must hold something.
        if (filled === PART_BYTES) {
          await this.send(part, content);
          part = await this.freeBuffer();
          filled = 0;
        }
        const size = chunk.copy(part, filled, offset);
        filled += size;
        offset += size;
      }
    }
    return part.subarray(0, filled);
  }

  private async create(rest: Buffer): Promise<void> {
    if (this.uploadId === undefined) {
      const Metadata = { [UPLOAD]: this.id };
      return this.withoutReplacing((condition) =>
        this.client.send(new PutObjectCommand({ ...this.target, ...condition, Metadata, Body: rest })),
      );
    }
    await this.send(rest);
    await Promise.all(this.sending);
    const Parts = this.parts.toSorted((a, b) => a.PartNumber! - b.PartNumber!);
    const upload = { ...this.target, UploadId: this.uploadId, MultipartUpload: { Parts } };
    await this.withoutReplacing((condition) =>
      this.client.send(new CompleteMultipartUploadCommand({ ...upload, ...condition })),
    );
  }

  /** Begins to send a part; where that fails the content ends with the reason. */
  private async send(part: Buffer, content?: Readable): Promise<void> {
    if (this.uploadId === undefined) {
      const create = new CreateMultipartUploadCommand({ ...this.target, Metadata: { [UPLOAD]: this.id } });
      this.uploadId = (await this.client.send(create)).UploadId;
    }
    const PartNumber = this.parts.length + this.sending.size + 1;
    if (PartNumber > MAX_PARTS) throw new Error('it is larger than 78 GiB, which is more than fits into 10,000 parts');
    const command = new UploadPartCommand({ ...this.target, UploadId: this.uploadId, PartNumber, Body: part });
    const sent = this.client.send(command, { abortSignal: this.abort.signal }).then(({ ETag }) => {
      this.parts.push({ PartNumber, ETag });
      this.freeBuffers.push(part);
      this.sending.delete(sent);
    });
    this.sending.add(sent);
    sent.catch((error: Error) => content?.destroy(error));
  }

  private async freeBuffer(): Promise<Buffer> {
    while (this.sending.size >= PARTS_HELD - 1) await Promise.race(this.sending);
    return this.freeBuffers.pop() ?? Buffer.allocUnsafeSlow(PART_BYTES);
  }

  private async withoutReplacing(create: (condition: { IfNoneMatch?: string }) => Promise<unknown>): Promise<void> {
    try {
      await create({ IfNoneMatch: '*' });
    } catch (error) {
      const { status } = error as S3FailedError;
      if (status === 501)
        await create({}); // it does not know the condition; that nothing is there was asked before
      else if (await this.isCreated())
        return; // an answer got lost, and the next attempt found our own object
      else if (status === 412) throw new ObjectExistsError();
      else throw error;
    }
  }

  private async isCreated(): Promise<boolean> {
    const found = await this.client.send(new HeadObjectCommand(this.target)).catch(() => undefined);
    return found?.Metadata?.[UPLOAD] === this.id;
  }

  /** What cannot be removed now is the lifecycle rule's (docs/backups.md). */
  private async removeParts(): Promise<void> {
    if (this.uploadId === undefined) return;
    const abort = new AbortMultipartUploadCommand({ ...this.target, UploadId: this.uploadId });
    await this.client.send(abort).catch(() => undefined); // the first failure says more
  }
}
