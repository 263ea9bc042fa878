import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { setInterval as every } from 'node:timers/promises';

/** How long a start may take on a busy machine before the test gives up. */
const READY_TIMEOUT_MS = 55_000;
const SAMPLING_MS = 15;
const API_LINE = /^ {2}API +(http:\/\/\S+)\/v1$/m;

export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** Tenantry as a process of its own, as an operator starts it. */
export class ServerProcess {
  /** Everything it has written, both streams in their order. */
  output = '';
  readonly ended: Promise<Ending>;
  private readonly child: ChildProcess;

  /** @param env all that it finds in its environment, beside PATH and HOME; PORT is a free one and BACKUP_SCHEDULE off unless given */
  constructor(project: string, env: Record<string, string>, command = [process.execPath, 'dist/main.js']) {
    const [file, ...args] = command;
    this.child = spawn(file!, args, {
      cwd: project,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, PORT: '0', BACKUP_SCHEDULE: 'off', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // a process group of its own, which a terminal's Ctrl-C reaches as a whole
    });
    const take = (chunk: Buffer): void => void (this.output += chunk.toString());
    this.child.stdout?.on('data', take);
    this.child.stderr?.on('data', take);
    this.ended = once(this.child, 'close').then(([code, signal]) => ({ code, signal }));
  }

  get pid(): number {
    return this.child.pid!;
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** The address that it prints once it serves. @throws Error with its output when it ends, or takes too long */
  async ready(): Promise<string> {
    const deadline = Date.now() + READY_TIMEOUT_MS;
    for await (const _ of every(SAMPLING_MS)) {
      const [, url] = API_LINE.exec(this.output) ?? [];
      if (url) return url;
      if (!this.isRunning || Date.now() > deadline) break;
    }
    throw new Error(`It does not serve:\n${this.output}`);
  }

  /** Waits until it has written that. @throws Error with its output when it ends before, or takes too long */
  async says(words: RegExp): Promise<void> {
    const deadline = Date.now() + READY_TIMEOUT_MS;
    for await (const _ of every(SAMPLING_MS)) {
      if (words.test(this.output)) return;
      if (!this.isRunning || Date.now() > deadline) break;
    }
    throw new Error(`It does not say ${words}:\n${this.output}`);
  }

  /** To this process alone, as an orchestrator does. */
  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** To all processes of its group, as a terminal does at Ctrl-C. */
  killGroup(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

/** Collects what `ps` shows of any process of this machine, from now until `stop`, which gives it. Linux only. */
export function watchCommandLines(): { stop(): string[] } {
  const seen = new Set<string>();
  const look = (): void => {
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name)) continue;
      try {
        seen.add(readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim());
      } catch {
        continue; // it has ended meanwhile
      }
    }
  };
  const timer = setInterval(look, SAMPLING_MS);
  look();
  return {
    stop: () => {
      clearInterval(timer);
      return [...seen];
    },
  };
}
