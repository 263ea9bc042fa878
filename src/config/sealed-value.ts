import { StartupError } from '../common/errors';
import { SecretBox } from './secret-box';

/** How an encrypted value begins; what follows is nonce, ciphertext and tag (AES-256-GCM) in base64. */
const PREFIX = 'enc:v1:';
const PURPOSE = 'config-value';
const KEY_BYTES = 32;

export const isSealed = (value: string): boolean => value.startsWith(PREFIX);

/** @throws StartupError when CONFIG_KEY is not 32 bytes in base64 */
export function sealValue(configKey: string, plain: string): string {
  return PREFIX + boxOf(configKey).seal(PURPOSE, Buffer.from(plain)).toString('base64');
}

/** @throws StartupError when CONFIG_KEY is not 32 bytes in base64, or not the key that the value was sealed with */
export function openValue(configKey: string, sealed: string): string {
  const box = boxOf(configKey);
  try {
    return box.open(PURPOSE, Buffer.from(sealed.slice(PREFIX.length), 'base64')).toString();
  } catch (error) {
    throw new StartupError('CONFIG_KEY does not open it', { cause: error });
  }
}

function boxOf(configKey: string): SecretBox {
  const key = Buffer.from(configKey, 'base64');
  if (key.length === KEY_BYTES) return new SecretBox(key);
  throw new StartupError('CONFIG_KEY must be 32 bytes in base64. Make one with: openssl rand -base64 32');
}
