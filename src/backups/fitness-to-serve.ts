import {
  type Check,
  DATA_CHECKS,
  SERVING_CHECKS,
  tenantryDatabases,
  verifyCluster,
} from '../database/cluster-verification';
import { type LoginPurpose, LOGINS } from '../database/login-definitions';
import { lonelyTransaction } from '../database/long-transaction';
import { applyMigrations } from '../database/migrations';
import { renewLogins } from '../database/restored-logins';
import { urlFor } from '../database/server-connection';
import type { RecoveredCluster } from './engine';
import { reapplyErasures } from './erasures/reapply-erasures';
import type { ReceiptStore } from './erasures/receipt-store';
import type { RecoveryFinding, RecoveryStep } from './recovery-stopped';
import type { Comparison, Mismatch } from './verification-point';

export interface FitnessOptions {
  /** Of the logins as they are in use now; without one a login keeps that of then. */
  passwords: Partial<Record<LoginPurpose, string>>;
  /** Of the cluster's superuser, where it is to be reached by one; undefined: that of then. */
  superuserPassword?: string | undefined;
  /** Of erasures: what was erased after the moment is erased again. */
  receipts: ReceiptStore;
}

/** What was done to make a restored cluster fit to serve. */
export interface Fitness {
  /** The databases that hold a Tenantry. */
  databases: string[];
  /** Erasures that were carried out again: the ids of their receipts. */
  erasedAgain: string[];
  /** Tenants that have no owner now, since theirs of then was erased later. */
  ownerless: string[];
  /** Logins that were made or got the password of now. */
  renewedLogins: string[];
}

/** Runs the work of a step, and tells of it. */
export type Step = <Result>(name: RecoveryStep, work: () => Promise<Result>) => Promise<Result>;

/** What went wrong in a step: found by looking, or thrown. */
export class StepFailure extends Error {
  constructor(
    readonly step: RecoveryStep,
    readonly reason: Error | RecoveryFinding[],
  ) {
    super(step);
  }
}

/**
 * Verifies a restored cluster, brings its logins and its schema to today, verifies it again, and erases what was erased since.
 * @param comparison with the backup's verification point; undefined: there was none to pass
 * @throws StepFailure
 */
export async function makeFit(
  { adminUrl }: RecoveredCluster,
  comparison: Comparison | undefined,
  { passwords, superuserPassword, receipts }: FitnessOptions,
  step: Step,
): Promise<Fitness> {
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
    const platform = { name: LOGINS.platform.name, password: passwords.platform ?? '' };
    for (const database of found.databases) {
      const url = urlFor(adminUrl(), database, platform);
      all.push(await reapplyErasures({ receipts, transaction: (work) => lonelyTransaction(url, work) }));
    }
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
