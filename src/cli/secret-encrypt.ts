import { parseArgs } from 'node:util';
import { StartupError } from '../common/errors';
import { loadDotEnv } from '../config/dot-env';
import { sealValue } from '../config/sealed-value';
import { readConfigKey } from '../config/secret-variables';
import { readHidden, readPiped } from './secret-input';

const USAGE = `npm run --silent secret:encrypt

Encrypts one secret, such as a connection string, and prints the value to set in its place: enc:v1:…
The secret is asked for without being shown, or read from standard input; never from the command line, which everybody
on the machine can see. It may then stand in the variable itself or in the file that <NAME>_FILE names.

CONFIG_KEY, or CONFIG_KEY_FILE   the key, 32 bytes in base64 (openssl rand -base64 32); Tenantry needs the same one to start`;

async function main(): Promise<void> {
  if (readsHelp()) return console.log(USAGE);
  loadDotEnv();
  const key = readConfigKey();
  sealValue(key, ''); // before anybody types: is it a key?
  const secret = process.stdin.isTTY
    ? await readHidden(process.stdin, process.stderr, 'Secret (not shown): ')
    : await readPiped(process.stdin);
  if (secret === '') throw new StartupError('There is no secret to encrypt: it is empty.');
  console.log(sealValue(key, secret));
}

function readsHelp(): boolean {
  try {
    return parseArgs({ options: { help: { type: 'boolean', default: false } } }).values.help;
  } catch {
    // Not what was given: it may well be the secret.
    throw new StartupError(`It takes no arguments. A secret on a command line can be seen by all.\n\n${USAGE}`);
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof StartupError ? error.message : error);
  process.exitCode = 1;
});
