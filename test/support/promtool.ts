import { spawnSync } from 'node:child_process';
import type { ToolRun } from './source-tree';

const PACKAGE = 'apt-get update && apt-get install -y --no-install-recommends prometheus';

/** Prometheus' own checker, of Debian's package `prometheus`. */
export const hasPromtool = spawnSync('promtool', ['--version']).status === 0;

if (!hasPromtool)
  process.stderr.write(
    `promtool is missing: neither the alerts nor the exposition are checked. On Debian 12: ${PACKAGE}\n`,
  );

/** For what cannot be tried without promtool. It is skipped where somebody works, and fails in CI. */
export const itWithPromtool = hasPromtool || process.env.CI ? it : it.skip;

/**
 * Runs promtool to its end.
 * @param input its standard input
 * @throws Error when it cannot be started
 */
export function promtool(args: string[], cwd: string, input = ''): ToolRun {
  const { status, stdout, stderr, error } = spawnSync('promtool', args, { cwd, input, encoding: 'utf8' });
  if (error) throw new Error(`promtool does not run: ${error.message}. On Debian 12: ${PACKAGE}`, { cause: error });
  return { exitCode: status ?? -1, stdout, stderr };
}
