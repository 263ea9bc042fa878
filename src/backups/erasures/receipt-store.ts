import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { BackupEnv } from '../../config/backup-env';
import { BackupStore } from '../native/backup-store';
import { NameTakenError } from '../repository/repository';
import { open, seal } from '../repository/sealed-stream';
import { backupsHoldUntil } from './backup-hold';
import { readReceipt } from './erasure-receipt';

const FOLDER = 'erasures/';
const SUFFIX = '.json.sealed';
const nameOf = (id: string): string => `${FOLDER}${id}${SUFFIX}`;

/**
 * The receipts of erasures beside the backups: what is restored to a moment before an erasure knows nothing of it, so that it is
 * told from here. Never pruned; a receipt names nobody.
 */
export class ReceiptStore {
  private constructor(
    private readonly store: Pick<BackupStore, 'repository' | 'keys'>,
    private readonly schedule: BackupEnv['schedule'],
  ) {}

  static open(env: BackupEnv): ReceiptStore {
    return new ReceiptStore(BackupStore.open(env), env.schedule);
  }

  /** For messages: where it is, without a secret. */
  get place(): string {
    return this.store.repository.description;
  }

  /** From when on no backup holds what was erased. */
  heldUntil(erasedAt: Date): Date {
    return backupsHoldUntil(this.schedule, erasedAt);
  }

  /** Of all receipts there. */
  async ids(): Promise<string[]> {
    const names = await this.store.repository.list(FOLDER);
    return names.filter((name) => name.endsWith(SUFFIX)).map((name) => name.slice(FOLDER.length, -SUFFIX.length));
  }

  /** Stores a receipt; one that is there already stays. */
  async put(jws: string): Promise<void> {
    const [key] = this.store.keys;
    if (!key) throw new Error('There is no key to seal with.');
    const name = nameOf(readReceipt(jws).id);
    try {
      await this.store.repository.put(name, Readable.from([Buffer.from(jws)]).pipe(seal(key, name)));
    } catch (error) {
      if (!(error instanceof NameTakenError)) throw error;
    }
  }

  /** The signed receipt. @throws SealBrokenError when it was changed, or is sealed with a key that is not given */
  async get(id: string): Promise<string> {
    const sealed = await this.store.repository.get(nameOf(id));
    const opened = open(this.store.keys, nameOf(id));
    sealed.once('error', (error) => opened.destroy(error));
    return text(sealed.pipe(opened));
  }
}
