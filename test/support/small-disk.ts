import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';

/** A file system of a few megabytes, in memory. Linux, and root: elsewhere mount() says why not. */
export class SmallDisk {
  private constructor(readonly directory: string) {}

  /** @returns undefined where we may not mount, which it says on stderr: what is skipped then should be known */
  static mount(directory: string, megabytes: number): SmallDisk | undefined {
    mkdirSync(directory, { recursive: true });
    const error = run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=755`, 'tmpfs', directory]);
    if (error === undefined) return new SmallDisk(directory);
    process.stderr.write(`\nNOT TESTED: a full disk. We cannot mount a small one here (run it as root): ${error}\n`);
    return undefined;
  }

  resize(megabytes: number): void {
    const error = run('mount', ['-o', `remount,size=${megabytes}m`, this.directory]);
    if (error !== undefined) throw new Error(error);
  }

  unmount(): void {
    const error = run('umount', [this.directory]);
    if (error !== undefined) throw new Error(error);
  }
}

function run(program: string, args: string[]): string | undefined {
  const { status, error, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  return status === 0 ? undefined : (error?.message ?? stderr.trim());
}
