import { StartupError } from '../common/errors';
import { URL_VARIABLES } from './bootstrap-env';
import { resolveSecrets } from './secret-variables';

/**
 * The URLs of Tenantry's logins that are set, by what each login is for.
 * @throws StartupError naming each variable that cannot be read
 */
export function readLoginUrls(
  source: NodeJS.ProcessEnv = process.env,
): Partial<Record<keyof typeof URL_VARIABLES, string>> {
  const { values, problems } = resolveSecrets(source);
  if (problems.length > 0)
    throw new StartupError(`The configuration is wrong:\n${problems.map((line) => `  - ${line}`).join('\n')}`);
  return Object.fromEntries(
    Object.entries(URL_VARIABLES).flatMap(([purpose, variable]) =>
      values[variable] ? [[purpose, values[variable]]] : [],
    ),
  );
}
