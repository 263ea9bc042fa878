import { Injectable } from '@nestjs/common';
import type { Caller } from '../access/actor';
import { AuditLog } from '../audit/audit-log';
import { Clock } from '../common/clock';
import { ConflictError, InvalidInputError, NotFoundError, PreconditionFailedError } from '../common/errors';
import { orderOf, toPage } from '../common/keyset';
import type { Page } from '../common/page.dto';
import { PasswordsService } from '../credentials/passwords.service';
import { PlatformDb, type PlatformTx } from '../database/platform-db';
import { ACCOUNT_SORTS, type AccountDto, type ListAccountsQuery, type UpdateAccountDto } from './account.dto';
import { AccountTenantsRepository } from './account-tenants.repository';
import { type AccountRow, AccountsRepository, ADMINISTRATOR } from './accounts.repository';
import { SessionsRepository } from './sessions.repository';

const MAX_TENANTS_CONSIDERED = 100;

/** The accounts of all people, for platform administrators. */
@Injectable()
export class AccountsService {
  constructor(
    private readonly db: PlatformDb,
    private readonly accounts: AccountsRepository,
    private readonly tenants: AccountTenantsRepository,
    private readonly sessions: SessionsRepository,
    private readonly passwords: PasswordsService,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  async list(query: ListAccountsQuery): Promise<Page<AccountDto>> {
    const order = orderOf(ACCOUNT_SORTS, query.sort);
    const rows = await this.db.read((tx) => this.accounts.list(tx, query, order));
    return toPage(rows, query.limit, order, toAccountDto);
  }

  /** @throws NotFoundError */
  async read(id: string): Promise<AccountDto> {
    return toAccountDto(await this.db.read((tx) => this.find(tx, id)));
  }

  /**
   * Renames, disables, enables, or gives a new password. Disabling and a new password end all sessions.
   * @param version of the account as the caller read it; undefined: whichever it is
   * @throws ConflictError `last_administrator` when nobody could administer the platform any more
   * @throws InvalidInputError for a password against the policy, or the caller's own
   */
  async update(caller: Caller, id: string, version: number | undefined, input: UpdateAccountDto): Promise<AccountDto> {
    const { name, status, password } = input;
    const passwordHash = password === undefined ? undefined : await this.hashNew(caller, id, password, name);
    return this.db.run(async (tx) => {
      if (status === 'disabled') await this.accounts.lockAdministrators(tx);
      await this.accounts.lockForUpdate(tx, id);
      const before = await this.find(tx, id);
      if (version !== undefined && version !== before.version) throw new PreconditionFailedError();
      if (name === undefined && status === undefined && !passwordHash) return toAccountDto(before);
      if (status === 'disabled') await this.assertNotLastAdministrator(tx, before);
      const now = this.clock.now();
      const after = await this.accounts.update(tx, id, { name, status }, now);
      if (passwordHash) await this.accounts.setPasswordHash(tx, id, passwordHash, now);
      const endedSessions = await this.endSessions(tx, id, status === 'disabled', passwordHash !== undefined, now);
      const target = { type: 'Account', id };
      const shown: object = toAccountDto(after);
      await this.audit.recordForPlatform(tx, caller, {
        action: 'account.updated',
        target,
        before: toAccountDto(before),
        after: { ...shown, ...(endedSessions.length > 0 && { endedSessions }) },
      });
      if (passwordHash) await this.audit.recordForPlatform(tx, caller, { action: 'password.changed', target });
      return toAccountDto(after);
    });
  }

  /** Slow, so outside the transaction. */
  private async hashNew(caller: Caller, id: string, password: string, newName?: string): Promise<string> {
    if (id === caller.accountId) {
      const message = 'Change your own password with PUT /v1/auth/password: it asks for the current one.';
      throw new InvalidInputError([{ pointer: '/password', code: 'own_password', message }], 'own_password');
    }
    const personal = await this.db.read(async (tx) => {
      const account = await this.find(tx, id);
      const tenants = await this.tenants.list(tx, id, MAX_TENANTS_CONSIDERED);
      return [account.email, account.name, ...tenants.flatMap(({ name, slug }) => [name, slug])];
    });
    this.passwords.assertAcceptable(password, newName === undefined ? personal : [...personal, newName], '/password');
    return this.passwords.hash(password);
  }

  private async endSessions(
    tx: PlatformTx,
    id: string,
    disabled: boolean,
    reset: boolean,
    now: Date,
  ): Promise<string[]> {
    if (!disabled && !reset) return [];
    return this.sessions.endAll(tx, id, disabled ? 'account_disabled' : 'password_reset', now);
  }

  private async assertNotLastAdministrator(tx: PlatformTx, account: AccountRow): Promise<void> {
    if (account.platformRole !== ADMINISTRATOR || account.status !== 'active') return;
    const others = await this.accounts.countAdministrators(tx, { status: 'active', exceptId: account.id });
    if (others === 0)
      throw new ConflictError(
        'last_administrator',
        'The last active administrator of the platform cannot be disabled.',
      );
  }

  private async find(tx: PlatformTx, id: string): Promise<AccountRow> {
    const account = await this.accounts.find(tx, id);
    if (!account) throw new NotFoundError('account');
    return account;
  }
}

function toAccountDto(row: AccountRow): AccountDto {
  return {
    id: row.id,
    email: row.email,
    name: row.name,
    status: row.status,
    platformAdministrator: row.platformRole === ADMINISTRATOR,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
    version: row.version,
  };
}
