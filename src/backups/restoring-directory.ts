import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { rename, statfs } from 'node:fs/promises';
import path from 'node:path';
import { BusyError, StartupError } from '../common/errors';
import { flushDirectory } from '../common/flush-directory';
import { killPostmaster } from '../database/postmaster';

/** Where a cluster is restored before it may be called so: beside its place, under a name that says who is at it. */
export class RestoringDirectory {
  readonly path: string;

  private constructor(readonly target: string) {
    this.path = `${target}.restoring.${process.pid}.partial`;
  }

  /**
   * Removes what runs have left that were killed, too.
   * @throws BusyError when another run restores to the same place; StartupError when there is no room
   */
  static async prepare(target: string, neededBytes: number): Promise<RestoringDirectory> {
    const directory = new RestoringDirectory(target);
    await directory.sweep();
    const parent = existingParentOf(target);
    const { bavail, bsize } = await statfs(parent);
    if (bavail * bsize < neededBytes)
      throw new StartupError(
        `There is not enough room in ${parent}: ${inMegabytes(neededBytes)} are needed, ${inMegabytes(bavail * bsize)} are free.`,
      );
    return directory;
  }

  /** Beside its target. */
  get name(): string {
    return path.basename(this.path);
  }

  /** Gives it a name to last. */
  async moveTo(place: string): Promise<void> {
    await rename(this.path, place);
    await flushDirectory(path.dirname(place));
  }

  private async sweep(): Promise<void> {
    const parent = path.dirname(this.target);
    if (!existsSync(parent)) return;
    const prefix = `${path.basename(this.target)}.restoring.`;
    for (const name of readdirSync(parent)) {
      if (!name.startsWith(prefix)) continue;
      const maker = Number(name.slice(prefix.length).split('.')[0]);
      const place = path.join(parent, name);
      if (mayBeAtWork(maker, place))
        throw new BusyError(`Another restore is under way here (process ${maker}). Nothing was changed.`);
      if (statSync(place).isDirectory()) await killPostmaster(place);
      rmSync(place, { recursive: true, force: true });
    }
  }
}

/** In a container each run has the same process number: what is older than we are is not ours. */
function mayBeAtWork(maker: number, place: string): boolean {
  if (maker === process.pid) return statSync(place).mtimeMs >= Date.now() - process.uptime() * 1000;
  try {
    process.kill(maker, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  try {
    return readFileSync(`/proc/${maker}/cmdline`, 'utf8').includes('tenantry'); // else its number is another's by now
  } catch {
    return true;
  }
}

const inMegabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;

function existingParentOf(target: string): string {
  const parent = path.dirname(target);
  return existsSync(parent) ? parent : existingParentOf(parent);
}
