import { eraseAccounts, type ErasedRows, eraseTenant, sumOf, tenantsLeftBy } from '../../database/erasure';
import type { SqlQuery } from '../../database/long-transaction';
import { type ErasureReceipt, readReceipt } from './erasure-receipt';
import { ErasuresRepository } from './erasures.repository';
import type { ReceiptStore } from './receipt-store';

export interface ReapplyOptions {
  receipts: ReceiptStore;
  /** Runs work in one transaction as the platform login, in a database with this version's migrations. */
  transaction: <Result>(work: (query: SqlQuery) => Promise<Result>) => Promise<Result>;
}

export interface Reappliance {
  /** How many erasures are known. */
  known: number;
  /** Of them, those that the restored database had forgotten: their ids. */
  reapplied: string[];
  rows: ErasedRows;
  /** Tenants that have no owner now: they had been given to somebody else after the moment that was restored. */
  ownerless: { id: string; slug: string }[];
}

/**
 * What is restored to a moment before an erasure holds again what was erased: erases it again, by the receipts that lie beside the
 * backups, in one transaction. Nothing to do where nothing was forgotten.
 * @throws SealBrokenError when a receipt was changed: what it tells of would come back unseen
 */
export async function reapplyErasures({ receipts, transaction }: ReapplyOptions): Promise<Reappliance> {
  const signed: { jws: string; receipt: ErasureReceipt }[] = [];
  for (const id of await receipts.ids()) {
    const jws = await receipts.get(id);
    signed.push({ jws, receipt: readReceipt(jws) });
  }
  const known = signed.length;
  return transaction(async (query) => {
    const remembered = new Set((await query<{ id: string }>('SELECT id FROM ops.erasures')).map(({ id }) => id));
    const forgotten = signed.filter(({ receipt }) => !remembered.has(receipt.id));
    if (forgotten.length === 0) return { known, reapplied: [], rows: {}, ownerless: [] };
    const rows: ErasedRows[] = [];
    for (const { receipt } of forgotten)
      if (receipt.subject === 'tenant') rows.push(await eraseTenant(query, receipt.subjectId));
    const people = await peopleStillThere(
      query,
      forgotten.flatMap(({ receipt }) => receipt.accountIds),
    );
    const ownerless = people.length > 0 ? await tenantsLeftBy(query, people) : [];
    if (people.length > 0) rows.push(await eraseAccounts(query, people));
    // Sealed with a key that a restore need not have; kept for 24 hours only. Who repeats a request is told to look.
    await query(
      'UPDATE identity.idempotency_keys SET status = NULL, sealed_answer = NULL WHERE sealed_answer IS NOT NULL',
    );
    const erasures = new ErasuresRepository();
    for (const { receipt, jws } of forgotten) await erasures.insert(query, receipt, jws);
    return { known, reapplied: forgotten.map(({ receipt }) => receipt.id), rows: sumOf(rows), ownerless };
  });
}

async function peopleStillThere(query: SqlQuery, ids: readonly string[]): Promise<string[]> {
  const rows = await query<{ id: string }>('SELECT id FROM identity.users WHERE id = ANY ($1)', [ids]);
  return rows.map(({ id }) => id);
}
