import { readFileSync, writeFileSync } from 'node:fs';

/** Turns one bit in the middle of a file, as a bad disk does. @returns puts it right */
export function flipBit(file: string): () => void {
  const sound = readFileSync(file);
  const damaged = Buffer.from(sound);
  damaged[Math.floor(sound.length / 2)]! ^= 1;
  writeFileSync(file, damaged);
  return () => writeFileSync(file, sound);
}
