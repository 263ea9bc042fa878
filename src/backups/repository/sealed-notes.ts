import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { type BackupRepository, MissingFileError } from './repository';
import { type BackupKey, open, seal } from './sealed-stream';

const PLAIN = '.json.gz';
const SEALED = `${PLAIN}.sealed`;

/** Small things that lie beside backups, as JSON, sealed like them: with a listing and the key a restore needs no database. */
export class SealedNotes {
  constructor(
    private readonly repository: BackupRepository,
    /** The first one seals, and what is not sealed is not looked at; none: nothing is sealed. */
    private readonly keys: readonly BackupKey[],
  ) {}

  private readonly nameOf = (file: string): string | undefined => {
    const ending = (this.keys.length > 0 ? [SEALED] : [SEALED, PLAIN]).find((one) => file.endsWith(one));
    return ending && file.slice(0, -ending.length);
  };

  /** @throws NameTakenError when there is one of this name */
  async put(name: string, value: object): Promise<void> {
    const [key] = this.keys;
    const file = `${name}${key ? SEALED : PLAIN}`;
    const content = Readable.from([Buffer.from(JSON.stringify(value))], { objectMode: false });
    const steps = [content, createGzip(), ...(key ? [seal(key, file)] : [])];
    const last = steps.at(-1) as Readable;
    pipeline(steps as [Readable]).catch((error: Error) => last.destroy(error));
    await this.repository.put(file, last);
  }

  /** @returns undefined when there is none. @throws SealBrokenError when it is not what was put */
  async read<Note extends object>(name: string): Promise<Note | undefined> {
    const file = (await this.repository.list(`${name}.`)).find((one) => this.nameOf(one) === name);
    if (file === undefined) return undefined;
    const plain = createGunzip();
    try {
      const steps = [await this.repository.get(file), ...(file.endsWith(SEALED) ? [open(this.keys, file)] : []), plain];
      pipeline(steps).catch((error: Error) => plain.destroy(error));
      return JSON.parse(await text(plain)) as Note;
    } catch (error) {
      if (error instanceof MissingFileError) return undefined; // removed meanwhile
      throw error;
    }
  }

  /** The names that begin so, sorted. */
  async list(prefix: string): Promise<string[]> {
    return (await this.repository.list(prefix)).flatMap((file) => this.nameOf(file) ?? []);
  }

  /** Removing what is not there is no error. */
  async remove(name: string): Promise<void> {
    for (const ending of [PLAIN, SEALED]) await this.repository.remove(`${name}${ending}`);
  }
}
