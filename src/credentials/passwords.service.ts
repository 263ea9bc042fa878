import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { parseOptions } from '@node-rs/argon2';
import Piscina from 'piscina';
import { InvalidInputError, UnavailableError } from '../common/errors';
import { Env } from '../config/env';
import { findPasswordFault, normalizePassword } from './password-policy';

/** OWASP Password Storage Cheat Sheet: argon2id (this package's default) with 19 MiB, two passes, one lane. */
const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const; // memoryCost in KiB

/** More threads than these gain little: they wait for the same memory. */
const MAX_THREADS = 3;
/** One to two seconds of work on two cores. Who would wait longer is told so at once. */
const MAX_WAITING = 100;
/** nice(2): what takes a hundred times as long as a read lets it, and PostgreSQL beside it, go first. Of a thread on Linux only. */
const NICENESS = 10;
/** What a thread takes of memory is given back when nobody has signed in for so long. */
const IDLE_TIMEOUT_MS = 60_000;

/** Hashes, verifies and judges passwords. Hashing takes tens of milliseconds: never call it inside a transaction. */
@Injectable()
export class PasswordsService implements OnModuleInit, OnModuleDestroy {
  private readonly threads: Piscina;
  private dummyHash: string;

  /**
   * One core is left to everything else: to requests that only read, and to PostgreSQL where it runs beside. Two hashes at once on
   * two cores are hardly faster than one after the other (they wait for the same memory: 9.8 ms of a core each instead of 8.5),
   * and let reads wait. Several workers share the cores: each hashes for its part of them.
   */
  constructor({ WORKERS }: Env = new Env()) {
    const cores = Math.floor((availableParallelism() - 1) / WORKERS);
    this.threads = new Piscina({
      filename: path.join(__dirname, 'hashing-thread.cjs'),
      minThreads: 0,
      maxThreads: Math.max(1, Math.min(cores, MAX_THREADS)),
      maxQueue: Math.ceil(MAX_WAITING / WORKERS),
      niceIncrement: NICENESS,
      idleTimeout: IDLE_TIMEOUT_MS,
    });
  }

  async onModuleInit(): Promise<void> {
    this.dummyHash = await this.hash(randomBytes(32).toString('base64'));
  }

  async onModuleDestroy(): Promise<void> {
    await this.threads.close();
  }

  /**
   * @returns the hash in PHC form
   * @throws UnavailableError `too_busy` when too many wait already
   */
  async hash(password: string): Promise<string> {
    return this.run<string>('hash', { password: normalizePassword(password), parameters: PARAMETERS });
  }

  /**
   * Is this the password of the hash? Without a hash the answer is no, after the same time.
   * @throws UnavailableError `too_busy` when too many wait already
   */
  async verify(passwordHash: string | undefined, password: string): Promise<boolean> {
    const compared = { passwordHash: passwordHash ?? this.dummyHash, password: normalizePassword(password) };
    const matches = await this.run<boolean>('verify', compared);
    return matches && passwordHash !== undefined;
  }

  /** Was the hash made with weaker parameters than today's? */
  isOutdated(passwordHash: string): boolean {
    const { memoryCost, timeCost, parallelism } = parseOptions(passwordHash);
    return memoryCost < PARAMETERS.memoryCost || timeCost < PARAMETERS.timeCost || parallelism < PARAMETERS.parallelism;
  }

  /**
   * @param personal what everybody knows of its owner: e-mail address, name, names of tenants
   * @throws InvalidInputError `weak_password`, or `invalid_input` for its length, at `pointer`
   */
  assertAcceptable(password: string, personal: readonly string[], pointer: string): void {
    const fault = findPasswordFault(password, personal, pointer);
    if (fault?.code === 'weak_password') throw new InvalidInputError([fault], 'weak_password');
    if (fault) throw new InvalidInputError([fault]);
  }

  private async run<Result>(name: 'hash' | 'verify', task: object): Promise<Result> {
    if (this.threads.queueSize >= this.threads.options.maxQueue)
      throw new UnavailableError('too_busy', 'Too many passwords are being checked. Try again.', 2);
    return (await this.threads.run(task, { name })) as Result;
  }
}
