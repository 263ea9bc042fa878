import { createPrivateKey, type KeyObject } from 'node:crypto';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Clock } from '../common/clock';
import { StartupError } from '../common/errors';
import { Env } from '../config/env';
import { SecretBox } from '../config/secret-box';
import { regardless } from '../database/abandonment';
import { PlatformDb, type PlatformTx } from '../database/platform-db';
import { generateSigningKey, publicKeyOf, type PublicJwk } from './signing-key';
import { type SigningKeyRow, SigningKeysRepository } from './signing-keys.repository';

const PURPOSE = 'signing-key';

/** The keys are read again when they are older than this: another instance may have made or retired one. */
const MAX_AGE_MS = 60_000;
/** A token with an unknown `kid` makes them be read again, at most this often: strangers can send as many as they like. */
const MIN_AGE_MS = 5_000;
/** A new key signs only when every instance, and whoever caches the published keys (for 300 s), must have seen it. */
const SETTLING_MS = 360_000;
/** Keys are replaced after 90 days. */
const ROTATION_MS = 90 * 24 * 3_600_000;

interface LoadedKeys {
  at: number;
  signing: { kid: string; privateKey: KeyObject };
  verifying: ReadonlyMap<string, KeyObject>;
  jwks: readonly PublicJwk[];
  documentJwks: readonly PublicJwk[];
}

/** The keys that sign access tokens: made on first start, shared by all instances, sealed in the database. */
@Injectable()
export class SigningKeysService implements OnModuleInit {
  private loaded: LoadedKeys;
  private loading: Promise<void> | undefined;

  constructor(
    private readonly db: PlatformDb,
    private readonly keys: SigningKeysRepository,
    private readonly box: SecretBox,
    private readonly env: Env,
    private readonly clock: Clock,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.load();
  }

  /** The key to sign with now. */
  async signingKey(): Promise<{ kid: string; privateKey: KeyObject }> {
    await this.reloadIfOlderThan(MAX_AGE_MS);
    return this.loaded.signing;
  }

  /** Is this `kid` one of ours that still counts, by keys that were read not long ago? Otherwise find() knows. */
  knows(kid: string): boolean {
    return this.loaded.verifying.has(kid) && !this.isOlderThan(MAX_AGE_MS);
  }

  /** The public key of this `kid`, if it is one of ours that still counts. */
  async find(kid: string): Promise<KeyObject | undefined> {
    await this.reloadIfOlderThan(this.loaded.verifying.has(kid) ? MAX_AGE_MS : MIN_AGE_MS);
    return this.loaded.verifying.get(kid);
  }

  /** All keys by which a valid token may be signed. */
  async publicKeys(): Promise<readonly PublicJwk[]> {
    await this.reloadIfOlderThan(MAX_AGE_MS);
    return this.loaded.jwks;
  }

  /** All keys by which a receipt or an archive may be signed: every one there has been. No token is valid by a retired one. */
  async documentKeys(): Promise<readonly PublicJwk[]> {
    await this.reloadIfOlderThan(MAX_AGE_MS);
    return this.loaded.documentJwks;
  }

  /** Replaces a key that has served its time, and forgets the private half of those whose last token has expired. */
  async rotate(): Promise<void> {
    await this.db.run(async (tx) => {
      await this.keys.lock(tx);
      const [current] = await this.keys.list(tx, this.clock.now());
      if (current && current.createdAt.getTime() + ROTATION_MS <= this.clock.now().getTime()) await this.replace(tx);
      await this.keys.forgetPrivateHalves(tx, { retiredBefore: this.oldestUseful() });
    });
  }

  private async reloadIfOlderThan(ageMs: number): Promise<void> {
    if (!this.isOlderThan(ageMs)) return;
    this.loading ??= regardless(() => this.load()).finally(() => (this.loading = undefined));
    await this.loading;
  }

  private isOlderThan(ageMs: number): boolean {
    return this.clock.now().getTime() - this.loaded.at >= ageMs;
  }

  private async load(): Promise<void> {
    const [rows, everyJwk] = await this.db.read(async (tx) => [
      await this.keys.list(tx, this.oldestUseful()),
      await this.keys.listPublic(tx),
    ]);
    const usable = rows.some((row) => row.retiredAt === null) ? rows : await this.makeFirst();
    const signing = this.newestSettled(usable);
    this.loaded = {
      at: this.clock.now().getTime(),
      signing: { kid: signing.kid, privateKey: this.open(signing) },
      verifying: new Map(usable.map((row) => [row.kid, publicKeyOf(row.publicJwk)])),
      jwks: usable.map((row) => row.publicJwk),
      documentJwks: [
        ...new Map([...usable.map((row) => row.publicJwk), ...everyJwk].map((jwk) => [jwk.kid, jwk])).values(),
      ],
    };
  }

  private async makeFirst(): Promise<SigningKeyRow[]> {
    return this.db.run(async (tx) => {
      await this.keys.lock(tx);
      const found = await this.keys.list(tx, this.oldestUseful());
      if (found.some((row) => row.retiredAt === null)) return found; // another instance was faster
      await this.replace(tx);
      return this.keys.list(tx, this.oldestUseful());
    });
  }

  private async replace(tx: PlatformTx): Promise<void> {
    const { jwk, privateKey } = generateSigningKey();
    const sealedKey = this.box.seal(PURPOSE, privateKey.export({ format: 'der', type: 'pkcs8' }));
    await this.keys.retireAll(tx, this.clock.now());
    await this.keys.create(tx, jwk, sealedKey, this.clock.now());
  }

  /** Of keys in the order of their age, newest first. The first key of all need not settle. */
  private newestSettled(rows: SigningKeyRow[]): SigningKeyRow {
    const settledSince = this.clock.now().getTime() - SETTLING_MS;
    const row = rows.find(({ createdAt }) => createdAt.getTime() <= settledSince) ?? rows.at(-1);
    if (!row) throw new Error('There is no signing key.');
    return row;
  }

  /** A retired key signs until its successor has settled and every instance has read that; the last token then lives its time. */
  private oldestUseful(): Date {
    const usefulMs = SETTLING_MS + MAX_AGE_MS + this.env.ACCESS_TOKEN_TTL_SECONDS * 1000;
    return new Date(this.clock.now().getTime() - usefulMs);
  }

  private open(row: SigningKeyRow): KeyObject {
    try {
      return createPrivateKey({ key: this.box.open(PURPOSE, row.sealedKey), format: 'der', type: 'pkcs8' });
    } catch (error) {
      throw new StartupError(
        'The stored signing key cannot be opened: SECRET_KEY is not the one it was sealed with.\n' +
          'Set the former SECRET_KEY again. If it is lost, delete the rows of identity.signing_keys: all access tokens end.',
        { cause: error },
      );
    }
  }
}
