import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { flushDirectory } from '../common/flush-directory';
import { readOwnedFile } from './owned-file';

/** What is to be swapped; written before the first rename, so that one that was cut short can be told from none. */
interface Journal {
  /** Names beside the data directory. */
  restored: string;
  kept: string;
}

/** What was found of a swap that a crash had cut short. */
export type SwapEnding = 'finished' | 'undone';

const journalOf = (pgData: string): string => `${pgData}.swap`;

/**
 * Puts a restored data directory, which lies beside it, in the place of a cluster's, and keeps the old one as `kept`. No server may
 * run on either. Whatever cuts it short, settleSwap() finishes or undoes it: the directory is the old one or the new one, whole.
 */
export async function swapCluster(pgData: string, { restored, kept }: Journal): Promise<void> {
  const parent = path.dirname(pgData);
  const place = (name: string): string => path.join(parent, name);
  if (existsSync(place(kept))) throw new Error(`${place(kept)} exists.`);
  const journal = journalOf(pgData);
  rmSync(`${journal}.new`, { force: true });
  // Anew, so that no link is followed that the server's account has put there.
  const text = JSON.stringify({ restored, kept } satisfies Journal);
  writeFileSync(`${journal}.new`, text, { flag: 'wx', mode: 0o600, flush: true });
  renameSync(`${journal}.new`, journal);
  await flushDirectory(parent);
  renameSync(pgData, place(kept));
  await flushDirectory(parent);
  renameSync(place(restored), pgData);
  await flushDirectory(parent);
  rmSync(journal);
  await flushDirectory(parent);
}

/**
 * Ends a swap that was cut short: forward once the old directory has been put aside, else back. To be called before a data
 * directory is used.
 * @returns undefined when there was none
 */
export async function settleSwap(pgData: string): Promise<SwapEnding | undefined> {
  const journal = journalOf(pgData);
  rmSync(`${journal}.new`, { force: true }); // not whole: nothing had been moved
  if (!existsSync(journal)) return undefined;
  const { restored, kept } = JSON.parse(readOwnedFile(journal)) as Journal;
  // Its directory may be the server account's, and we may be root: nothing from elsewhere is moved.
  for (const name of [restored, kept])
    if (name !== path.basename(name) || !name.startsWith(`${path.basename(pgData)}.`))
      throw new Error(`${journal} names ${JSON.stringify(name)}, which no restore has put beside ${pgData}.`);
  const parent = path.dirname(pgData);
  const isRestoredThere = existsSync(path.join(parent, restored));
  let ending: SwapEnding = isRestoredThere ? 'undone' : 'finished'; // where the data directory is there
  if (!existsSync(pgData)) {
    ending = isRestoredThere ? 'finished' : 'undone';
    renameSync(path.join(parent, isRestoredThere ? restored : kept), pgData);
    await flushDirectory(parent);
  }
  rmSync(journal);
  await flushDirectory(parent);
  return ending;
}
