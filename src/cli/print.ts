/** The result of a command: one line on standard output. What is told meanwhile goes to standard error. */
export const print = (line: string): void => void process.stdout.write(`${line}\n`);
