import { availableParallelism } from 'node:os';
import { StartupError } from '../common/errors';
import { readEnv } from './env';
import { withArguments } from './server-arguments';

const workersOf = (args: string[], source: NodeJS.ProcessEnv = {}): number =>
  readEnv(withArguments(args, source)).WORKERS;

describe('the command line of the server', () => {
  it.each([
    [[], 1],
    [['--workers', '4'], 4],
    [['--workers=4'], 4],
    [['--workers', 'auto'], availableParallelism()],
  ])('%p means as many workers', (args, workers) => {
    expect(workersOf(args)).toBe(workers);
  });

  it('wins over WORKERS', () => {
    expect(workersOf([], { WORKERS: '3' })).toBe(3);
    expect(workersOf(['--workers', '2'], { WORKERS: '3' })).toBe(2);
  });

  it.each([[['--worker', '2']], [['2']], [['--workers']]])('refuses %p', (args) => {
    expect(() => withArguments(args, {})).toThrow(StartupError);
    expect(() => withArguments(args, {})).toThrow(/Usage: npm start -- /);
  });

  it.each(['0', '65', '1.5', 'many'])('refuses %s workers', (workers) => {
    expect(() => workersOf(['--workers', workers])).toThrow(/- WORKERS must/);
  });
});
