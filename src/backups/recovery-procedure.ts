import path from 'node:path';
import {
  type Check,
  DATA_CHECKS,
  SERVING_CHECKS,
  tenantryDatabases,
  verifyCluster,
} from '../database/cluster-verification';
import { swapCluster } from '../database/cluster-swap';
import { type LoginPurpose, LOGINS } from '../database/login-definitions';
import { asPlatformLogin } from '../database/long-transaction';
import { applyMigrations } from '../database/migrations';
import { renewLogins } from '../database/restored-logins';
import { urlFor } from '../database/server-connection';
import { assertReplaceable, assertStopped } from '../database/stopped-cluster';
import type { Account } from '../database/unprivileged-account';
import { reapplyErasures } from './erasures/reapply-erasures';
import type { ReceiptStore } from './erasures/receipt-store';
import type { BackupEngine, MaterializeStep, RecoveredCluster, RestorePlan } from './engine';
import { type RecoveryFinding, type RecoveryStep, RecoveryStoppedError } from './recovery-stopped';
import type { SealedNotes } from './repository/sealed-notes';
import { RestoringDirectory } from './restoring-directory';
import {
  compareWithPoint,
  type Comparison,
  type Mismatch,
  passesPoint,
  readVerificationPoint,
} from './verification-point';

export interface RecoveryOptions {
  engine: BackupEngine;
  /** Of its repository: verification points. */
  notes: SealedNotes;
  plan: RestorePlan;
  place: RecoveryPlace;
  /** Of the logins as they are in use now; without one a login keeps that of then. */
  passwords: Partial<Record<LoginPurpose, string>>;
  /** Of the cluster's superuser, where it is to be reached by one; undefined: that of then. */
  superuserPassword?: string | undefined;
  /** Of erasures: what was erased after the moment is erased again. */
  receipts: ReceiptStore;
  onEvent: (event: RecoveryEvent) => void;
  /** Ends it; what was made is removed. */
  signal?: AbortSignal | undefined;
}

/** Where the restored cluster is to be. */
export type RecoveryPlace =
  /** A new directory. */
  | { kind: 'new'; directory: string; account?: Account | undefined }
  /** That of a stopped cluster, which is kept beside it. */
  | { kind: 'in-place'; pgData: string };

export type RecoveryEvent =
  | { event: 'step'; step: RecoveryStep; state: 'started' }
  | { event: 'step'; step: RecoveryStep; state: 'done'; seconds: number }
  /** Bytes of `files` and `log`; of `replay` nothing is known before its end. */
  | { event: 'progress'; part: MaterializeStep; done: number; total: number };

export interface RecoveryResult {
  /** The data directory; undefined: the cluster is not ours (external). */
  directory: string | undefined;
  /** Where the one before it lies now. */
  kept: string | undefined;
  /** The databases that hold a Tenantry. */
  databases: string[];
  /** Erasures that were carried out again: the ids of their receipts. */
  erasedAgain: string[];
  /** Tenants that have no owner now, since theirs of then was erased later. */
  ownerless: string[];
  /** So many tables by tenant were as at the backup's verification point; undefined: the moment lies before it, or there is none. */
  comparedEntries: number | undefined;
  /** Logins that were made or got the password of now. */
  renewedLogins: string[];
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
  const account = place.kind === 'in-place' ? assertReplaceable(place.pgData) : place.account;
  const target = place.kind === 'in-place' ? place.pgData : place.directory;
  const restoring = await RestoringDirectory.prepare(target, plan.backup?.clusterBytes ?? 0);
  const step = stepsOf(options);

  const point = plan.backup && (await readVerificationPoint(notes, plan.backup.id));
  let comparison: Comparison | undefined;
  const cluster = await step('restore', () =>
    engine.materialize(plan, {
      directory: restoring.path,
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
      throw await stopped(error as StepFailure, cluster, restoring);
    })
    .finally(() => signal?.removeEventListener('abort', discard));
  const kept = await step('finish', async () => {
    await cluster.finish();
    return cluster.directory === undefined ? undefined : open(place, restoring);
  });
  return {
    ...made,
    comparedEntries: comparison?.entries,
    directory: cluster.directory && target,
    kept,
    seconds: (performance.now() - startedAt) / 1000,
  };
}

type Step = <Result>(name: RecoveryStep, work: () => Promise<Result>) => Promise<Result>;

/** What went wrong in a step: found by looking, or thrown. */
class StepFailure extends Error {
  constructor(
    readonly step: RecoveryStep,
    readonly reason: Error | RecoveryFinding[],
  ) {
    super(step);
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

async function makeFit(
  { adminUrl }: RecoveredCluster,
  comparison: Comparison | undefined,
  { passwords, superuserPassword, receipts }: RecoveryOptions,
  step: Step,
): Promise<Pick<RecoveryResult, 'databases' | 'renewedLogins' | 'erasedAgain' | 'ownerless'>> {
  const failing: Step = (name, work) =>
    step(name, () =>
      work().catch((error: Error) => {
        throw error instanceof StepFailure ? error : new StepFailure(name, error);
      }),
    );
  const verify = (name: RecoveryStep, checks: readonly Check[], known: RecoveryFinding[] = []): Promise<void> =>
    failing(name, async () => {
      const findings = [...known, ...(await verifyCluster(adminUrl, checks))];
      if (findings.length > 0) throw new StepFailure(name, findings);
    });
  await verify('verify', DATA_CHECKS, comparison?.mismatches.map(asFinding));
  const found = await failing('logins', async () => {
    const databases = await tenantryDatabases(adminUrl);
    return { databases, renewedLogins: await renewLogins(adminUrl, databases, passwords, superuserPassword) };
  });
  await failing('migrate', async () => {
    const owner = { name: LOGINS.owner.name, password: passwords.owner ?? '' };
    for (const database of found.databases) await applyMigrations(urlFor(adminUrl(), database, owner));
  });
  await verify('verify-again', SERVING_CHECKS);
  // Last: where the only owner of then was erased since, the tenant has none now. That is told, and stops nothing.
  const erased = await failing('erase-again', async () => {
    const all = [];
    for (const database of found.databases)
      all.push(await reapplyErasures({ receipts, transaction: (work) => asPlatformLogin(adminUrl(database), work) }));
    return {
      erasedAgain: all.flatMap(({ reapplied }) => reapplied),
      ownerless: all.flatMap(({ ownerless }) => ownerless.map(({ slug, id }) => `${slug} (${id})`)),
    };
  });
  return { ...found, ...erased };
}

function asFinding({ table, tenantId, expected, found }: Mismatch): RecoveryFinding {
  const whose = tenantId === null ? table : `${table} of the tenant ${tenantId}`;
  const counts = `${found?.rows ?? 0} rows, ${expected?.rows ?? 0} at the verification point`;
  const isSameNumber = found?.rows === expected?.rows;
  return { check: 'rows', database: '', problem: `${whose}: ${counts}${isSameNumber ? ', of other content' : ''}` };
}

/** Sets what was restored aside, under a name that says what it is. */
async function stopped(
  { step, reason }: StepFailure,
  cluster: RecoveredCluster,
  restoring: RestoringDirectory,
): Promise<RecoveryStoppedError> {
  const aside = cluster.directory === undefined ? undefined : `${restoring.target}.rejected-${timeName()}`;
  if (aside !== undefined) await restoring.moveTo(aside);
  return reason instanceof Error
    ? new RecoveryStoppedError(step, [], aside, { cause: reason })
    : new RecoveryStoppedError(step, reason, aside);
}

/** @returns where the cluster that was there before is kept */
async function open(place: RecoveryPlace, restoring: RestoringDirectory): Promise<string | undefined> {
  if (place.kind === 'new') {
    await restoring.moveTo(place.directory);
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
