import type { ProjectCopy } from './built-project';
import { ServerProcess } from './server-process';

/** A command of the built `tenantry`, with nothing set but these variables. */
export function startCommand(
  project: ProjectCopy,
  env: Record<string, string>,
  args: readonly string[],
): ServerProcess {
  return new ServerProcess(project.directory, env, [process.execPath, 'dist/cli/tenantry.js', ...args]);
}

/** Waits for its end. */
export async function outcomeOf(command: ServerProcess): Promise<{ code: number | null; output: string }> {
  const { code } = await command.ended;
  return { code, output: command.output };
}
