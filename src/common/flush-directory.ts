import { open } from 'node:fs/promises';

/** Makes the names in a directory last: without this a power failure may lose them, though their files are on the disk. */
export async function flushDirectory(directory: string): Promise<void> {
  const handle = await open(directory);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
