import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { StartupError } from '../common/errors';

const SYSTEM_DIR = '/var/lib/tenantry';

/**
 * Where root keeps what the server's account could not reach elsewhere; made when missing.
 * @throws StartupError when it is somebody else's: whoever owns it could put programs there for root to start
 */
export function systemDirectory(): string {
  if (mkdirSync(SYSTEM_DIR, { recursive: true })) chmodSync(SYSTEM_DIR, 0o755); // whatever the umask
  const found = lstatSync(SYSTEM_DIR);
  if (!found.isDirectory() || found.uid !== 0) throw new StartupError(`${SYSTEM_DIR} must be a directory of root.`);
  return SYSTEM_DIR;
}
