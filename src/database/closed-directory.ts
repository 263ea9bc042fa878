import { constants } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import type { Account } from './unprivileged-account';

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;

/**
 * A directory that is filled before its account may enter it: as root we write where nobody can put a link in our way. What lies
 * above it may be the account's, too, so that its name can come to lead elsewhere; hence the descriptor.
 */
export class ClosedDirectory {
  private constructor(
    private readonly handle: FileHandle,
    /** Where to write. Good until handOver() or close(). */
    readonly path: string,
  ) {}

  /** Makes it, or takes an empty one that is there. @throws Error when its last part is a link */
  static async make(directory: string): Promise<ClosedDirectory> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const handle = await open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    try {
      if (process.geteuid?.() === 0) await handle.chown(0, 0);
      await handle.chmod(0o700);
      return new ClosedDirectory(handle, process.platform === 'linux' ? `/proc/self/fd/${handle.fd}` : directory);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Flushes the names in it and gives it to the account; undefined: we keep it. */
  async handOver(account: Account | undefined): Promise<void> {
    await this.handle.sync();
    if (account) await this.handle.chown(account.uid, account.gid);
    await this.close();
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}
