import { StartupError } from '../common/errors';

/** `scheme://name:password@host`, anywhere in an argument. */
const URL_WITH_PASSWORD = /\w+:\/\/[^\s/@]*:[^\s@]*@/;
const SECRET_OPTION = /^--?[\w-]*(password|passwd|secret|token|key)(=|$)/i;

/**
 * Everybody on the machine can see a command line, and shells keep it.
 * @throws StartupError, which does not repeat it, when an argument holds a secret
 */
export function refuseSecrets(args: readonly string[]): void {
  if (!args.some((arg) => URL_WITH_PASSWORD.test(arg) || SECRET_OPTION.test(arg))) return;
  throw new StartupError(
    'A secret on a command line can be seen by everybody on the machine, so it is not taken from there.\n' +
      'Set the variable instead (POSTGRES_BACKUP_URL, BACKUP_KEY, …; docs/operations.md), or name a file in <VARIABLE>_FILE.',
  );
}
