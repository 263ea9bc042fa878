import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { StartupError } from '../../common/errors';
import { idsOf, PROGRAM_ENV } from '../../database/run-program';
import type { Account } from '../../database/unprivileged-account';

/** pgBackRest has failed. The message is its own. */
export class PgBackRestError extends Error {
  constructor(
    command: string,
    /** Of its `ERROR: [055]: …`, which is its exit code, too. */
    readonly code: number,
    said: string,
  ) {
    super(`pgBackRest (${command}): ${said}`);
    this.name = 'PgBackRestError';
  }
}

export interface PgBackRestOptions {
  stanza: string;
  /** Its configuration file; undefined: its own default. */
  config: string | undefined;
  /** Who runs it; undefined: we ourselves. Its files belong to the account that runs PostgreSQL. */
  account: Account | undefined;
}

interface RunOptions {
  /** Gets what it prints line by line; run() then gives nothing back. */
  onLine?: ((line: string) => void) | undefined;
  /** Gets what it prints as it comes, and takes it to its end; run() then gives nothing back. */
  onOutput?: ((output: Readable) => Promise<void>) | undefined;
  signal?: AbortSignal | undefined;
}

const PROGRAM = 'pgbackrest';
/** It warns so, and then fails for want of a server. */
const UNKNOWN_VERSION = 'is this version of PostgreSQL supported?';
const TOO_OLD =
  "This pgBackRest is too old for the server's version of PostgreSQL: 2.45 (Debian 12) knows up to 15, and 18 needs 2.55 or newer.";

/** The program `pgbackrest`, for one stanza. It gets no secret: those are in its own configuration. */
export class PgBackRest {
  constructor(private readonly options: PgBackRestOptions) {}

  get stanza(): string {
    return this.options.stanza;
  }

  get account(): Account | undefined {
    return this.options.account;
  }

  /**
   * Runs a command to its end.
   * @returns its standard output
   * @throws PgBackRestError; StartupError when it is not installed; the signal's reason
   */
  async run(command: string, args: readonly string[] = [], options: RunOptions = {}): Promise<string> {
    options.signal?.throwIfAborted();
    const child = spawn(PROGRAM, [...this.commonArguments(), command, ...args], {
      ...idsOf(this.account),
      cwd: '/',
      env: PROGRAM_ENV,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const stop = (): void => void child.kill('SIGTERM'); // it ends its helpers, and leaves what the next run takes up
    options.signal?.addEventListener('abort', stop, { once: true });
    try {
      const ended = new Promise<number>((resolve, reject) => {
        child.once('error', reject);
        child.once('close', (code) => resolve(code ?? -1));
      });
      const [code, output, said] = await Promise.all([ended, outputOf(child.stdout, options), text(child.stderr)]);
      options.signal?.throwIfAborted();
      if (code !== 0 && said.includes(UNKNOWN_VERSION)) throw new StartupError(TOO_OLD);
      if (code !== 0) throw new PgBackRestError(command, code, reasonIn(said, code));
      return output;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      throw new StartupError('pgBackRest is not installed here. On Debian: apt-get install pgbackrest', {
        cause: error,
      });
    } finally {
      options.signal?.removeEventListener('abort', stop);
      if (child.exitCode === null) child.kill('SIGTERM');
    }
  }

  /** For a `restore_command`: fetches the file %f of the log to %p, for a server on that directory. */
  archiveGetCommand(pgData: string): string {
    const args = [
      ...this.commonArguments(),
      `--pg1-path=${pgData}`,
      '--reset-pg1-host',
      '--no-archive-async', // its spool is the live server's
      'archive-get',
    ];
    return `${[PROGRAM, ...args].map(quoted).join(' ')} %f "%p"`;
  }

  private commonArguments(): string[] {
    const { stanza, config } = this.options;
    return [`--stanza=${stanza}`, ...(config === undefined ? [] : [`--config=${config}`])];
  }
}

async function outputOf(stdout: Readable, { onLine, onOutput }: RunOptions): Promise<string> {
  if (onOutput) {
    await onOutput(stdout);
    return '';
  }
  if (!onLine) return text(stdout);
  for await (const line of createInterface({ input: stdout })) onLine(line);
  return '';
}

/** What it says of an error: `ERROR: [055]: unable to …`, with hints on lines of their own. */
function reasonIn(said: string, code: number): string {
  const start = said.indexOf('ERROR:');
  const lines = (start < 0 ? said : said.slice(start)).trim().split('\n');
  const reason = lines.map((line) => line.trim().replace(/^ERROR: \[\d+\]: /, '')).filter(Boolean);
  return reason.length > 0 ? reason.join(' ') : `it ended with ${code}`;
}

/** For a shell, within PostgreSQL's own per cent signs. */
const quoted = (argument: string): string => `'${argument.replaceAll("'", `'\\''`).replaceAll('%', '%%')}'`;
