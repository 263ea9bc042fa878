import { parseArgs } from 'node:util';
import { StartupError } from '../common/errors';

/**
 * The environment with what stands on the command line of `npm start -- --workers <n>`, which wins.
 * @param args without the program's own name
 * @throws StartupError naming what is not understood
 */
export function withArguments(args: readonly string[], source: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  try {
    const { workers } = parseArgs({ args: [...args], options: { workers: { type: 'string' } } }).values;
    return workers === undefined ? source : { ...source, WORKERS: workers };
  } catch (error) {
    throw new StartupError(`${(error as Error).message}\nUsage: npm start -- [--workers <number>|auto]`);
  }
}
