import { createHash } from 'node:crypto';
import { signDocument } from '../../auth/signed-document';
import type { ErasedRows } from '../../database/erasure';

/** The `typ` of a receipt's JWS. */
export const RECEIPT_TYPE = 'tenantry-erasure-receipt';

/** What is told of an erasure for ever. It names nobody: ids alone, which lead to nothing any more. */
export interface ErasureReceipt {
  format: 1;
  id: string;
  /** TOKEN_ISSUER: whose keys verify it. */
  issuer: string;
  subject: 'tenant' | 'account';
  subjectId: string;
  /** Of the people erased: the account itself, or those who were in the erased tenant alone. */
  accountIds: string[];
  erasedAt: string;
  /** The account of the platform administrator; null: from the command line. */
  erasedBy: string | null;
  /** Of each table: removed, or (audit.events) stripped of what is personal. */
  rows: ErasedRows;
  /** Afterwards no backup holds what was erased, if backups are taken and pruned as configured; null: that is not known. */
  backupsHoldUntil: string | null;
}

type SigningKey = Parameters<typeof signDocument>[0];

export function signReceipt(key: SigningKey, receipt: ErasureReceipt): string {
  return signDocument(key, RECEIPT_TYPE, Buffer.from(JSON.stringify(receipt)));
}

/** What a receipt says, unverified: of one that is our own (from the table, or sealed in the repository). */
export function readReceipt(jws: string): ErasureReceipt {
  return JSON.parse(payloadOf(jws).toString()) as ErasureReceipt;
}

/** SHA-256 of the signed JSON, in hex: short enough to be written down. */
export function hashOf(jws: string): string {
  return createHash('sha256').update(payloadOf(jws)).digest('hex');
}

const payloadOf = (jws: string): Buffer => Buffer.from(jws.split('.')[1] ?? '', 'base64url');
