import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import path from 'node:path';
import { StartupError } from '../common/errors';
import { readOrMakeKey } from './key-file';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Seals what must not lie readable in the database: AES-256-GCM (NIST SP 800-38D), a key of its own for each purpose. */
export class SecretBox {
  constructor(private readonly secretKey: Buffer) {}

  /** `purpose` separates the keys: what was sealed for one purpose cannot be opened for another. */
  seal(purpose: string, plain: Buffer): Buffer<ArrayBuffer> {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.keyFor(purpose), nonce);
    return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }

  /** @throws Error when the text was sealed with another key, for another purpose, or has been changed */
  open(purpose: string, sealed: Uint8Array): Buffer {
    const bytes = Buffer.from(sealed);
    const decipher = createDecipheriv('aes-256-gcm', this.keyFor(purpose), bytes.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
  }

  /** A keyed hash (HMAC-SHA-256): tells whether two texts are equal, and to nobody without the key what they are. */
  mac(purpose: string, text: string): Buffer<ArrayBuffer> {
    return Buffer.from(createHmac('sha256', this.keyFor(purpose)).update(text).digest());
  }

  private keyFor(purpose: string): Buffer {
    return Buffer.from(hkdfSync('sha256', this.secretKey, '', `tenantry:${purpose}`, KEY_BYTES));
  }
}

/**
 * The box of SECRET_KEY; outside production, where it is unset, of a key made once in `DATA_DIR/secret.key`.
 * @throws StartupError when the key is not 32 bytes long
 */
export function openSecretBox(env: { DATA_DIR: string; SECRET_KEY?: string | undefined }): SecretBox {
  const key = Buffer.from(env.SECRET_KEY ?? readOrMakeKey(path.join(env.DATA_DIR, 'secret.key')), 'base64');
  if (key.length !== KEY_BYTES) {
    throw new StartupError('SECRET_KEY must be 32 bytes in base64. Make one with: openssl rand -base64 32');
  }
  return new SecretBox(key);
}
