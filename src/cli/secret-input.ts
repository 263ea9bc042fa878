import { createInterface } from 'node:readline';
import { type Readable, Writable } from 'node:stream';
import { StartupError } from '../common/errors';

/**
 * One line from a terminal, shown nowhere.
 * @param prompt goes to `output`, which is to be standard error: standard output is for the result
 * @throws StartupError at Ctrl-C and Ctrl-D
 */
export function readHidden(input: Readable, output: Writable, prompt: string): Promise<string> {
  // readline switches the terminal's own echo off and writes each character itself: to here, that is nowhere.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input, output: nowhere, terminal: true, historySize: 0 });
  output.write(prompt); // only now: what is typed before readline has the terminal is shown
  return new Promise((resolve, reject) => {
    const leave = (settle: () => void): void => {
      lines.removeAllListeners();
      lines.close();
      output.write('\n');
      settle();
    };
    const giveUp = (): void => leave(() => reject(new StartupError('Nothing was encrypted.')));
    lines.once('line', (line) => leave(() => resolve(line)));
    lines.once('SIGINT', giveUp);
    lines.once('close', giveUp);
  });
}

/** All of what is piped in, without the line end that editors and echo add. */
export async function readPiped(input: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of input) chunks.push(Buffer.from(chunk as Buffer));
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
}
