import { Injectable, Logger, Optional } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import type { Caller } from '../../access/actor';
import type { AuditEntry, Unidentified } from '../../audit/audit-log';
import { AuditLog } from '../../audit/audit-log';
import { SignInLimits } from '../../auth/sign-in-limits';
import { SigningKeysService } from '../../auth/signing-keys.service';
import { Clock } from '../../common/clock';
import { ConflictError, InvalidInputError, NotFoundError } from '../../common/errors';
import { newId, PLATFORM_TENANT_ID } from '../../common/id';
import { orderOf, toPage } from '../../common/keyset';
import type { Page } from '../../common/page.dto';
import { Env } from '../../config/env';
import { SecretBox } from '../../config/secret-box';
import { regardless } from '../../database/abandonment';
import { eraseAccounts, type ErasedRows, eraseTenant, sumOf, tenantsLeftBy } from '../../database/erasure';
import { longTransaction, type SqlQuery } from '../../database/long-transaction';
import { PlatformDb } from '../../database/platform-db';
import { Pools } from '../../database/pools';
import { eraseAnswers } from '../../http/answer-erasure';
import { type CreateErasureDto, ERASURE_SORTS, type ErasureDto, type ListErasuresQuery } from './erasure.dto';
import { type ErasureReceipt, hashOf, readReceipt, signReceipt } from './erasure-receipt';
import { type ErasedAccount, ErasuresRepository } from './erasures.repository';
import { ReceiptStore } from './receipt-store';

/** A person's erasure reads the whole audit trail once. */
export const ERASURE_TIMEOUT_MS = 600_000;
const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** What has gone, for the receipt and for what is kept elsewhere. */
interface Outcome {
  rows: ErasedRows;
  accounts: readonly ErasedAccount[];
  /** Ids by which a kept answer may tell of it. */
  ids: readonly string[];
}

/** Erases tenants and people at once and for good, with a receipt (docs/export-and-erasure.md, docs/decisions/0017). */
@Injectable()
export class ErasuresService {
  private readonly logger = new Logger('Erasures');

  constructor(
    private readonly pools: Pools,
    private readonly db: PlatformDb,
    private readonly erasures: ErasuresRepository,
    private readonly keys: SigningKeysService,
    private readonly limits: SignInLimits,
    private readonly audit: AuditLog,
    private readonly box: SecretBox,
    private readonly env: Env,
    private readonly clock: Clock,
    @Optional() private readonly receipts?: ReceiptStore,
  ) {}

  async list(query: ListErasuresQuery): Promise<Page<ErasureDto>> {
    const order = orderOf(ERASURE_SORTS, query.sort);
    const rows = await this.db.read((tx) => this.erasures.list(tx, query, order));
    return toPage(rows, query.limit, order, ({ receipt }) => toErasureDto(receipt));
  }

  /** Every receipt there is, as it was signed. */
  async listAll(): Promise<string[]> {
    return (await this.db.read((tx) => this.erasures.listAll(tx))).map(({ receipt }) => receipt);
  }

  /** A tenant by its slug or its id. @throws NotFoundError */
  async findTenant(name: string): Promise<{ id: string; slug: string }> {
    const tenant = await this.db.read((tx) => this.erasures.findTenant(tx, name));
    if (!tenant) throw new NotFoundError('tenant');
    return tenant;
  }

  /** An account by its e-mail address or its id. @throws NotFoundError */
  async findAccount(name: string): Promise<{ id: string; email: string }> {
    const account = await this.db.read((tx) => this.erasures.findAccount(tx, name));
    if (!account) throw new NotFoundError('account');
    return account;
  }

  /**
   * In one transaction, whether or not the caller still waits.
   * @throws ConflictError `last_owner`, naming the tenants that would have no owner; `last_administrator`
   * @throws InvalidInputError when `confirm` is not of what is to be erased
   */
  async erase(who: Caller | Unidentified, input: CreateErasureDto): Promise<ErasureDto> {
    const { subject, subjectId } = input;
    if (subject === 'account' && input.includeAccounts !== undefined)
      throw new InvalidInputError([
        { pointer: '/includeAccounts', code: 'not_of_account', message: 'includeAccounts goes with a tenant.' },
      ]);
    const key = await this.keys.signingKey();
    const jws = await regardless(() =>
      longTransaction(this.pools.platform, ERASURE_TIMEOUT_MS, async (query) => {
        const id = newId();
        // First, so that it is treated as all others where somebody erases himself.
        await this.record(query, who, {
          action: `${subject}.erased`,
          target: { type: subject === 'tenant' ? 'Tenant' : 'Account', id: subjectId },
          after: { erasureId: id },
        });
        const { rows, accounts, ids } = await (subject === 'tenant'
          ? this.eraseTenant(query, subjectId, input)
          : this.eraseAccount(query, subjectId, input.confirm));
        const erasedAt = this.clock.now();
        const receipt: ErasureReceipt = {
          format: 1,
          id,
          issuer: this.env.TOKEN_ISSUER,
          subject,
          subjectId,
          accountIds: accounts.map((account) => account.id),
          erasedAt: erasedAt.toISOString(),
          erasedBy: who.accountId ?? null,
          rows: { ...rows, ...(await this.eraseTraces(query, accounts, ids)) },
          backupsHoldUntil: this.receipts?.heldUntil(erasedAt).toISOString() ?? null,
        };
        const signed = signReceipt(key, receipt);
        await this.erasures.insert(query, receipt, signed);
        return signed;
      }),
    );
    void regardless(() => this.storeReceipts());
    return toErasureDto(jws);
  }

  /** Puts receipts beside the backups that are not there yet, because the repository could not be reached then. */
  @Cron(CronExpression.EVERY_HOUR)
  async storeReceipts(): Promise<void> {
    const { receipts } = this;
    if (!receipts) return;
    try {
      const there = new Set(await receipts.ids());
      const known = await this.db.read((tx) => this.erasures.listAll(tx));
      for (const { id, receipt } of known) if (!there.has(id)) await receipts.put(receipt);
    } catch (error) {
      this.logger.warn(`Receipts of erasures are not beside the backups yet: ${(error as Error).message}`);
    }
  }

  private async eraseTenant(query: SqlQuery, tenantId: string, input: CreateErasureDto): Promise<Outcome> {
    if (tenantId === PLATFORM_TENANT_ID) throw new NotFoundError('tenant');
    const slug = await this.erasures.slugOf(query, tenantId);
    if (slug !== undefined) assertConfirmed(input.confirm, slug, 'the slug');
    const members = await this.erasures.memberships(query, { tenantId });
    const erased = await eraseTenant(query, tenantId);
    if (Object.values(erased).every((count) => count === 0)) throw new NotFoundError('tenant');
    if (slug === undefined) assertConfirmed(input.confirm, tenantId, 'the id'); // a purged one's trail
    const people = members.map((member) => member.accountId);
    const accounts = input.includeAccounts ? await this.erasures.lockAccountsWithoutTenant(query, people) : [];
    const ids = accounts.map((account) => account.id);
    return {
      rows: ids.length > 0 ? sumOf([erased, await eraseAccounts(query, ids)]) : erased,
      accounts,
      ids: [tenantId, ...members.map((member) => member.id), ...ids],
    };
  }

  private async eraseAccount(query: SqlQuery, id: string, confirm: string): Promise<Outcome> {
    await this.erasures.lockAdministrators(query);
    const account = await this.erasures.lockAccount(query, id);
    if (!account) throw new NotFoundError('account');
    assertConfirmed(confirm.toLowerCase(), account.email, 'the e-mail address');
    if (account.isAdministrator && !(await this.erasures.hasOtherAdministrator(query, id)))
      throw new ConflictError('last_administrator', 'The last active administrator of the platform cannot be erased.');
    const left = await tenantsLeftBy(query, [id]);
    if (left.length > 0) {
      const names = left.map(({ id: tenantId, slug }) => `${slug} (${tenantId})`).join(', ');
      throw new ConflictError(
        'last_owner',
        `Without this person these tenants would have no owner: ${names}. Make somebody else an owner first, or erase them.`,
      );
    }
    const memberships = await this.erasures.memberships(query, { accountIds: [id] });
    const rows = await eraseAccounts(query, [id]);
    return { rows, accounts: [account], ids: [id, ...memberships.map((membership) => membership.id)] };
  }

  /** What tells of it outside of the tables of tenants and people: counters of failed sign-ins, answers kept for repeated requests. */
  private async eraseTraces(
    query: SqlQuery,
    accounts: readonly ErasedAccount[],
    ids: readonly string[],
  ): Promise<ErasedRows> {
    const keys = accounts.flatMap((account) => this.limits.storedKeysOf(account));
    const known = new Set(ids);
    const emails = accounts.map(({ email }) => email);
    const tellsOf = (answer: string): boolean =>
      (answer.match(UUID) ?? []).some((id) => known.has(id)) || emails.some((email) => answer.includes(email));
    return {
      'identity.sign_in_attempts': await this.erasures.removeAttempts(query, keys),
      'identity.idempotency_keys': await eraseAnswers(query, this.box, tellsOf),
    };
  }

  private record(query: SqlQuery, who: Caller | Unidentified, entry: AuditEntry): Promise<void> {
    return this.erasures.insertEvent(query, this.audit.platformEvent(who, entry));
  }
}

function assertConfirmed(given: string, expected: string, what: string): void {
  if (given === expected) return;
  const kind = what === 'the e-mail address' ? 'account' : 'tenant';
  const message = `confirm is not ${what} of this ${kind}. Nothing was erased.`;
  throw new InvalidInputError(
    [{ pointer: '/confirm', code: 'confirmation_mismatch', message }],
    'confirmation_mismatch',
  );
}

function toErasureDto(jws: string): ErasureDto {
  const { id, subject, subjectId, accountIds, erasedAt, erasedBy, rows, backupsHoldUntil } = readReceipt(jws);
  return {
    id,
    subject,
    subjectId,
    accountIds,
    erasedAt,
    erasedBy,
    rows,
    backupsHoldUntil,
    sha256: hashOf(jws),
    receipt: jws,
  };
}
