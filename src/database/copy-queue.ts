/** The part of a socket that holds up its sender. */
interface PausableStream {
  pause(): void;
  resume(): void;
}

/**
 * What a server sends, in its order, from where pg hands it over to where it is awaited. Whoever takes it in slower than it
 * comes holds up the server, not memory.
 */
export class CopyQueue<Event> {
  /** That the events come from; held up while too much waits. */
  stream: PausableStream | undefined;
  private readonly waiting: { event: Event; bytes: number }[] = [];
  private waitingBytes = 0;
  private isPaused = false;
  private isOver = false;
  private failure: Error | undefined;
  private wake: (() => void) | undefined;

  /** @param maxBytes so much waits at most, and what arrives until the server notices */
  constructor(private readonly maxBytes: number) {}

  push(event: Event, bytes = 0): void {
    if (this.isOver) return;
    this.waiting.push({ event, bytes });
    this.waitingBytes += bytes;
    this.flow();
    this.wake?.();
  }

  /** Nothing more comes; what waits is still given out. */
  end(): void {
    this.isOver = true;
    this.wake?.();
  }

  /** Nothing more comes, and what waits is dropped. */
  close(): void {
    this.waiting.length = 0;
    this.end();
  }

  /** The first failure is thrown, after what came before it. */
  fail(error: Error): void {
    this.failure ??= error;
    this.wake?.();
  }

  async *events(): AsyncGenerator<Event> {
    for (;;) {
      while (this.waiting.length > 0) {
        const { event, bytes } = this.waiting.shift()!;
        this.waitingBytes -= bytes;
        this.flow();
        yield event;
      }
      if (this.failure) throw this.failure;
      if (this.isOver) return;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  private flow(): void {
    const isFull = this.waitingBytes > this.maxBytes;
    if (isFull === this.isPaused) return;
    this.isPaused = isFull;
    if (isFull) this.stream?.pause();
    else this.stream?.resume();
  }
}
