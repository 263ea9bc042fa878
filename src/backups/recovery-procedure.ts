import { existsSync } from 'node:fs';
import path from 'node:path';
import { StartupError } from '../common/errors';
import { swapCluster } from '../database/cluster-swap';
import { assertReplaceable, assertStopped } from '../database/stopped-cluster';
import type { Account } from '../database/unprivileged-account';
import type { BackupEngine, MaterializeStep, RestorePlan } from './engine';
import { type Fitness, type FitnessOptions, makeFit, type Step, StepFailure } from './fitness-to-serve';
import { type RecoveryStep, RecoveryStoppedError } from './recovery-stopped';
import type { SealedNotes } from './repository/sealed-notes';
import { RestoringDirectory } from './restoring-directory';
import { compareWithPoint, type Comparison, passesPoint, readVerificationPoint } from './verification-point';

export interface RecoveryOptions extends FitnessOptions {
  engine: BackupEngine;
  /** Of its repository: verification points. */
  notes: SealedNotes;
  plan: RestorePlan;
  place: RecoveryPlace;
  onEvent: (event: RecoveryEvent) => void;
  /** Ends it; what was made is removed. */
  signal?: AbortSignal | undefined;
}

/** Where the restored cluster is to be. */
export type RecoveryPlace =
  /** A new directory. */
  | { kind: 'new'; directory: string; account?: Account | undefined }
  /** That of a stopped cluster, which is kept beside it. */
  | { kind: 'in-place'; pgData: string }
  /** The engine says (external). */
  | { kind: 'elsewhere' };

export type RecoveryEvent =
  | { event: 'step'; step: RecoveryStep; state: 'started' }
  | { event: 'step'; step: RecoveryStep; state: 'done'; seconds: number }
  /** Bytes of `files` and `log`; of `replay` nothing is known before its end. */
  | { event: 'progress'; part: MaterializeStep; done: number; total: number };

export interface RecoveryResult extends Fitness {
  /** The data directory; undefined: the cluster is not ours (external). */
  directory: string | undefined;
  /** Where the one before it lies now. */
  kept: string | undefined;
  /** So many tables by tenant were as at the backup's verification point; undefined: the moment lies before it, or there is none. */
  comparedEntries: number | undefined;
  seconds: number;
}

/**
 * Brings a moment back and makes it fit to serve: restores it beside its place, verifies it, brings its logins and its schema to
 * today, verifies it again, erases what was erased since, and only then gives it its place. A step that fails stops all of it.
 * @throws RecoveryStoppedError naming what is wrong
 * @throws BusyError while a server runs where it is to be; StartupError; the engine's errors, after which nothing is left
 */
export async function recoverCluster(options: RecoveryOptions): Promise<RecoveryResult> {
  const { engine, notes, plan, place, signal } = options;
  const startedAt = performance.now();
  const { target, account } = targetOf(place);
  const restoring =
    target === undefined
      ? undefined
      : await RestoringDirectory.prepare(target, (plan.backup?.clusterBytes ?? 0) + (plan.logBytes ?? 0));
  const step = stepsOf(options);

  const point = plan.backup && (await readVerificationPoint(notes, plan.backup.id));
  let comparison: Comparison | undefined;
  const cluster = await step('restore', () =>
    engine.materialize(plan, {
      directory: restoring?.path ?? '',
      account,
      signal,
      onProgress: (part, done, total) => options.onEvent({ event: 'progress', part, done, total }),
      ...(point &&
        passesPoint(plan, point) && {
          inspection: {
            point: point.name,
            look: async (passing) => void (comparison = await compareWithPoint(passing, point)),
          },
        }),
    }),
  );
  const discard = (): void => void cluster.discard().catch(() => undefined); // what is asked of it meanwhile fails
  signal?.addEventListener('abort', discard, { once: true });
  const made = await makeFit(cluster, comparison, options, step)
    .catch(async (error: unknown) => {
      if (signal?.aborted) {
        await cluster.discard();
        throw error;
      }
      await cluster.finish();
      throw error instanceof StepFailure ? await stopped(error, restoring) : error;
    })
    .finally(() => signal?.removeEventListener('abort', discard));
  const kept = await step('finish', async () => {
    await cluster.finish();
    return restoring && open(place, restoring);
  });
  return {
    ...made,
    comparedEntries: comparison?.entries,
    directory: target,
    kept,
    seconds: (performance.now() - startedAt) / 1000,
  };
}

/** @throws BusyError while a server runs there; StartupError when it cannot be replaced */
function targetOf(place: RecoveryPlace): { target: string | undefined; account?: Account | undefined } {
  switch (place.kind) {
    case 'new':
      if (existsSync(place.directory))
        throw new StartupError(`${place.directory} exists. Choose a directory that does not.`);
      return { target: place.directory, account: place.account };
    case 'in-place':
      return { target: place.pgData, account: assertReplaceable(place.pgData) };
    case 'elsewhere':
      return { target: undefined };
  }
}

function stepsOf({ onEvent, signal }: RecoveryOptions): Step {
  return async (step, work) => {
    signal?.throwIfAborted();
    onEvent({ event: 'step', step, state: 'started' });
    const startedAt = performance.now();
    const result = await work();
    onEvent({ event: 'step', step, state: 'done', seconds: (performance.now() - startedAt) / 1000 });
    return result;
  };
}

/** Sets what was restored aside, under a name that says what it is. */
async function stopped(
  { step, reason }: StepFailure,
  restoring: RestoringDirectory | undefined,
): Promise<RecoveryStoppedError> {
  const aside = restoring && `${restoring.target}.rejected-${timeName()}`;
  if (aside !== undefined) await restoring?.moveTo(aside);
  return reason instanceof Error
    ? new RecoveryStoppedError(step, [], aside, { cause: reason })
    : new RecoveryStoppedError(step, reason, aside);
}

/** @returns where the cluster that was there before is kept */
async function open(place: RecoveryPlace, restoring: RestoringDirectory): Promise<string | undefined> {
  if (place.kind !== 'in-place') {
    await restoring.moveTo(restoring.target);
    return undefined;
  }
  const { pgData } = place;
  const kept = `${pgData}.before-${timeName()}`;
  try {
    assertStopped(pgData); // it may have been started meanwhile
  } catch (error) {
    const aside = `${pgData}.restored-${timeName()}`;
    await restoring.moveTo(aside);
    (error as Error).message += ` What was restored is sound and lies in ${aside}.`;
    throw error;
  }
  await swapCluster(pgData, { restored: restoring.name, kept: path.basename(kept) });
  return kept;
}

/** `20261123T101500Z` */
const timeName = (): string => new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
