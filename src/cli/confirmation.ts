import { createInterface } from 'node:readline/promises';
import { StartupError } from '../common/errors';

/** Asks a person. @throws StartupError when the answer is not yes, or nobody is there to give one */
export async function assertConfirmed(question: string): Promise<void> {
  if (!process.stdin.isTTY) throw new StartupError('Nobody is there to ask: say --yes.');
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await prompt.question(`${question} [y/N] `);
    if (!/^y(es)?$/i.test(answer.trim())) throw new StartupError('Nothing was done.');
  } finally {
    prompt.close();
  }
}
