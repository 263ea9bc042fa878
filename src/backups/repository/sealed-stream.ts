import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { Transform, type TransformCallback } from 'node:stream';
import { noteBufferGarbage } from '../../common/buffer-garbage';

/*
 * The format of a sealed file: a header (magic, the key's id, a salt), then frames: length, ciphertext, tag. AES-256-GCM
 * (NIST SP 800-38D) with a key of its own for each file (HKDF of the backup key and the salt), so a counter is a safe
 * nonce. The nonce also says whether a frame is the last (the STREAM construction of Hoang, Reyhanitabar, Rogaway and
 * Vizár, 2015): frames cannot be left out, swapped, repeated or cut off without its being noticed. The file's name is
 * authenticated with each frame, so that no file can stand in for another.
 */
const MAGIC = Buffer.from('TNTRYBK1');
const KEY_ID_BYTES = 8;
const SALT_BYTES = 32;
const HEADER_BYTES = MAGIC.length + KEY_ID_BYTES + SALT_BYTES;
const LENGTH_BYTES = 4;
const TAG_BYTES = 16;
/** What is held in memory at once; small enough for that, large enough that the tags weigh nothing. */
const FRAME_BYTES = 256 * 1024;

/** A sealed file that is not what was sealed: changed, cut off, under another name, or sealed with another key. */
export class SealBrokenError extends Error {
  constructor(name: string, reason: string) {
    super(`${name} cannot be opened: ${reason}`);
    this.name = 'SealBrokenError';
  }
}

/** A key for backups; its id is safe to show, and tells which key a file needs. */
export class BackupKey {
  readonly id: string;

  /** @param bytes 32 of them */
  constructor(private readonly bytes: Buffer) {
    if (bytes.length !== 32) throw new TypeError('a backup key has 32 bytes');
    this.id = createHash('sha256')
      .update('tenantry:backup-key-id')
      .update(bytes)
      .digest('hex')
      .slice(0, 2 * KEY_ID_BYTES);
  }

  /** Of one file. */
  derive(salt: Buffer): Buffer {
    return Buffer.from(hkdfSync('sha256', this.bytes, salt, 'tenantry:backup-file', 32));
  }
}

/** Seals what passes through. @param name that it will have in the repository */
export function seal(key: BackupKey, name: string): Transform {
  return new Sealer(key, name);
}

/**
 * Opens what passes through; nothing of a frame comes out before it was found right.
 * @param keys the current one and those before it
 * @throws SealBrokenError through the stream
 */
export function open(keys: readonly BackupKey[], name: string): Transform {
  return new Opener(keys, name);
}

class Sealer extends Transform {
  private readonly salt = randomBytes(SALT_BYTES);
  private readonly fileKey: Buffer;
  private readonly waiting: Buffer[] = [];
  private waitingBytes = 0;
  private frames = 0;

  constructor(
    key: BackupKey,
    private readonly fileName: string,
  ) {
    super();
    this.fileKey = key.derive(this.salt);
    this.push(Buffer.concat([MAGIC, Buffer.from(key.id, 'hex'), this.salt]));
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.waiting.push(chunk);
    this.waitingBytes += chunk.length;
    // One frame is held back: only the end tells which is the last.
    while (this.waitingBytes > FRAME_BYTES) this.frame(FRAME_BYTES, false);
    done();
  }

  override _flush(done: TransformCallback): void {
    this.frame(this.waitingBytes, true);
    done();
  }

  private frame(size: number, isLast: boolean): void {
    const cipher = createCipheriv('aes-256-gcm', this.fileKey, nonceOf(this.frames, isLast));
    cipher.setAAD(Buffer.from(this.fileName));
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32BE(size + TAG_BYTES);
    this.push(length);
    // Piece by piece: one frame after the other in buffers of their own would be garbage faster than it is collected.
    for (const piece of this.takePieces(size)) this.push(cipher.update(piece));
    cipher.final(); // GCM has nothing more to give
    this.push(cipher.getAuthTag());
    noteBufferGarbage(size);
    this.frames += 1;
  }

  private takePieces(size: number): Buffer[] {
    const pieces: Buffer[] = [];
    for (let missing = size; missing > 0;) {
      const first = this.waiting.shift()!;
      pieces.push(first.subarray(0, missing));
      if (first.length > missing) this.waiting.unshift(first.subarray(missing));
      missing -= Math.min(missing, first.length);
    }
    this.waitingBytes -= size;
    return pieces;
  }
}

class Opener extends Transform {
  private fileKey: Buffer | undefined;
  private pieces: Buffer[] = [];
  private size = 0;
  private frames = 0;
  /** Held back until it is known whether it is the last. */
  private held: Buffer | undefined;

  constructor(
    private readonly keys: readonly BackupKey[],
    private readonly fileName: string,
  ) {
    super();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.pieces.push(chunk);
    this.size += chunk.length;
    try {
      if (!this.fileKey) this.readHeader();
      if (this.fileKey) while (this.readFrame());
      done();
    } catch (error) {
      done(error as Error);
    }
  }

  override _flush(done: TransformCallback): void {
    try {
      if (!this.fileKey) throw this.broken('it is cut off, or no backup file');
      if (!this.held || this.size > 0) throw this.broken('it is cut off');
      this.push(this.openFrame(this.held, true));
      done();
    } catch (error) {
      done(error as Error);
    }
  }

  private readHeader(): void {
    if (this.size < HEADER_BYTES) return;
    const header = this.takeBytes(HEADER_BYTES);
    if (!header.subarray(0, MAGIC.length).equals(MAGIC)) throw this.broken('it is no sealed backup file');
    const id = header.subarray(MAGIC.length, MAGIC.length + KEY_ID_BYTES).toString('hex');
    const key = this.keys.find((candidate) => candidate.id === id);
    if (!key) throw this.broken(`it was sealed with the key ${id}, which is not among those given`);
    this.fileKey = key.derive(header.subarray(-SALT_BYTES));
  }

  private readFrame(): boolean {
    if (this.size < LENGTH_BYTES) return false;
    const length = this.peekLength();
    if (length < TAG_BYTES || length > FRAME_BYTES + TAG_BYTES) throw this.broken('it is damaged');
    if (this.size < LENGTH_BYTES + length) return false;
    if (this.held) this.push(this.openFrame(this.held, false));
    this.held = this.takeBytes(LENGTH_BYTES + length).subarray(LENGTH_BYTES);
    noteBufferGarbage(length);
    return true;
  }

  private openFrame(sealed: Buffer, isLast: boolean): Buffer {
    const decipher = createDecipheriv('aes-256-gcm', this.fileKey!, nonceOf(this.frames, isLast), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(Buffer.from(this.fileName));
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    this.frames += 1;
    try {
      const plain = decipher.update(sealed.subarray(0, -TAG_BYTES));
      decipher.final(); // GCM has nothing more to give: it throws, or it is right
      return plain;
    } catch {
      throw this.broken('it is damaged, cut off, or not what stood under this name');
    }
  }

  private peekLength(): number {
    if (this.pieces[0]!.length < LENGTH_BYTES) this.pieces = [Buffer.concat(this.pieces, this.size)];
    return this.pieces[0]!.readUInt32BE();
  }

  private takeBytes(bytes: number): Buffer {
    const all = this.pieces.length === 1 ? this.pieces[0]! : Buffer.concat(this.pieces, this.size);
    this.pieces = bytes < all.length ? [all.subarray(bytes)] : [];
    this.size -= bytes;
    return all.subarray(0, bytes);
  }

  private broken(reason: string): SealBrokenError {
    return new SealBrokenError(this.fileName, reason);
  }
}

function nonceOf(frame: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64BE(BigInt(frame));
  nonce.writeUInt8(isLast ? 1 : 0, 11);
  return nonce;
}
