import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { BackupKey, open, seal } from './sealed-stream';

const key = new BackupKey(randomBytes(32));
const FRAME_BYTES = 256 * 1024;
const HEADER_BYTES = 48;

const sealed = (plain: Buffer, name = 'base.tar', by = key): Promise<Buffer> =>
  buffer(Readable.from([plain], { objectMode: false }).pipe(seal(by, name)));

/** Opens it in pieces of this size, as a network would bring them. */
async function opened(bytes: Buffer, { name = 'base.tar', keys = [key], piece = 64 * 1024 } = {}): Promise<Buffer> {
  const pieces = function* () {
    for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
  };
  const opener = open(keys, name);
  Readable.from(pieces(), { objectMode: false })
    .on('error', (error) => opener.destroy(error))
    .pipe(opener);
  return buffer(opener);
}

describe('a sealed stream', () => {
  it.each([0, 1, 15, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 3 * FRAME_BYTES + 7])(
    'of %i bytes comes out as it went in',
    async (size) => {
      const plain = randomBytes(size);
      expect((await opened(await sealed(plain), { piece: size < 100 ? 1 : 1_000 })).equals(plain)).toBe(true);
    },
  );

  it('shows nothing of what is in it', async () => {
    const text = Buffer.from('a secret of a tenant '.repeat(1_000));
    const bytes = await sealed(text);
    expect(bytes.includes('secret')).toBe(false);
    expect((await sealed(text)).equals(bytes)).toBe(false); // a salt of its own each time
  });

  it('opens with an earlier key, and names the key that is missing', async () => {
    const earlier = new BackupKey(randomBytes(32));
    const bytes = await sealed(Buffer.from('x'), 'base.tar', earlier);
    expect((await opened(bytes, { keys: [key, earlier] })).toString()).toBe('x');
    await expect(opened(bytes)).rejects.toThrow(`sealed with the key ${earlier.id}`);
  });

  it('refuses another name', async () => {
    await expect(opened(await sealed(Buffer.from('x')), { name: 'other.tar' })).rejects.toThrow('not what stood under');
  });

  it('notices a flipped bit wherever it is', async () => {
    const bytes = await sealed(randomBytes(2 * FRAME_BYTES));
    for (const at of [0, 9, 20, HEADER_BYTES, HEADER_BYTES + 5, FRAME_BYTES, bytes.length - 1]) {
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= 1;
      await expect(opened(damaged)).rejects.toThrow('cannot be opened');
    }
  });

  it('notices what is cut off, between two frames too', async () => {
    const bytes = await sealed(randomBytes(2 * FRAME_BYTES + 5));
    const frame = 4 + FRAME_BYTES + 16;
    for (const end of [0, 10, HEADER_BYTES, HEADER_BYTES + frame, HEADER_BYTES + 2 * frame, bytes.length - 1]) {
      await expect(opened(bytes.subarray(0, end))).rejects.toThrow('cannot be opened');
    }
  });

  it('notices frames that are swapped, repeated or left out', async () => {
    const bytes = await sealed(randomBytes(3 * FRAME_BYTES));
    const frame = 4 + FRAME_BYTES + 16;
    const header = bytes.subarray(0, HEADER_BYTES);
    const [a, b, c] = [0, 1, 2].map((n) => bytes.subarray(HEADER_BYTES + n * frame, HEADER_BYTES + (n + 1) * frame));
    for (const frames of [
      [b, a, c],
      [a, a, b, c],
      [a, c],
      [b, c],
    ]) {
      await expect(opened(Buffer.concat([header, ...frames] as Buffer[]))).rejects.toThrow('cannot be opened');
    }
  });
});
