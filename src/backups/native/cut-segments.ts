import { noteBufferGarbage } from '../../common/buffer-garbage';
import type { WalPiece } from '../../database/wal-stream';
import { startOf } from '../wal-segments';

/**
 * Cuts the log, as it comes, into whole segments. The content of one is valid until the next is asked for.
 * @param from the number of the segment that it begins with
 * @param onReceived told where the log received so far ends
 * @throws Error when the server sends it out of order
 */
export async function* cutSegments(
  pieces: AsyncIterable<WalPiece>,
  from: bigint,
  segmentBytes: number,
  onReceived: (position: bigint) => void,
): AsyncGenerator<{ number: bigint; content: Buffer }> {
  const content = Buffer.alloc(segmentBytes);
  let filled = 0;
  let number = from;
  let received = startOf(from, segmentBytes);
  for await (const { data, position } of pieces) {
    if (position !== received) throw new Error(`The server sent the log out of order.`);
    for (let offset = 0; offset < data.length;) {
      const size = data.copy(content, filled, offset, Math.min(data.length, offset + segmentBytes - filled));
      filled += size;
      offset += size;
      if (filled < segmentBytes) continue;
      yield { number, content };
      number += 1n;
      filled = 0;
    }
    received += BigInt(data.length);
    onReceived(received);
    noteBufferGarbage(data.length);
  }
}
