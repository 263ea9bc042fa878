import { randomInt } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { AuditLog } from '../audit/audit-log';
import { Clock } from '../common/clock';
import { InvalidInputError, StartupError } from '../common/errors';
import { normalizeEmail } from '../common/text';
import { Env } from '../config/env';
import { PasswordsService } from '../credentials/passwords.service';
import { PlatformDb, type PlatformTx } from '../database/platform-db';
import { AccountsRepository, ADMINISTRATOR } from './accounts.repository';

const DEFAULT_EMAIL = 'admin@tenantry.localhost';
const NAME = 'Administrator';

/** Letters and digits that nobody mistakes for one another: 24 of them are 140 bits. */
const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const GENERATED_LENGTH = 24;

/** How the first administrator came to be. */
export interface BootstrappedAdministrator {
  email: string;
  /** Only if it was generated: show it once, it is stored nowhere. */
  password?: string;
  /** The account was there before; it became an administrator and kept its password. */
  promoted?: true;
}

/** Sees to it that there is somebody who can administer the platform. */
@Injectable()
export class BootstrapAdministrator {
  constructor(
    private readonly db: PlatformDb,
    private readonly accounts: AccountsRepository,
    private readonly passwords: PasswordsService,
    private readonly audit: AuditLog,
    private readonly env: Env,
    private readonly clock: Clock,
  ) {}

  /**
   * Creates the first platform administrator, of BOOTSTRAP_ADMIN_EMAIL and BOOTSTRAP_ADMIN_PASSWORD, or with a generated
   * password. Undefined when there is one already.
   * @throws StartupError when BOOTSTRAP_ADMIN_PASSWORD is against the policy
   */
  async ensureAdministrator(): Promise<BootstrappedAdministrator | undefined> {
    if ((await this.db.read((tx) => this.accounts.countAdministrators(tx))) > 0) return undefined;
    const email = normalizeEmail(this.env.BOOTSTRAP_ADMIN_EMAIL ?? DEFAULT_EMAIL);
    const generated = this.env.BOOTSTRAP_ADMIN_PASSWORD === undefined ? generatePassword() : undefined;
    const password = generated ?? this.configuredPassword(email);
    const passwordHash = await this.passwords.hash(password);
    return this.db.run(async (tx) => {
      await this.accounts.lockAdministrators(tx);
      if ((await this.accounts.countAdministrators(tx)) > 0) return undefined; // another instance was faster
      const promoted = await this.makeAdministrator(tx, email, passwordHash);
      return { email, ...(promoted ? { promoted } : generated !== undefined && { password: generated }) };
    });
  }

  /** @returns true when the account was there before with a password of its own */
  private async makeAdministrator(tx: PlatformTx, email: string, passwordHash: string): Promise<true | undefined> {
    const now = this.clock.now();
    const existing = await this.accounts.findByEmail(tx, email);
    const account = existing
      ? await this.accounts.update(tx, existing.id, { platformRole: ADMINISTRATOR, status: 'active' }, now)
      : await this.accounts.create(tx, { email, name: NAME, platformRole: ADMINISTRATOR }, now);
    const hasPassword = (await this.accounts.passwordHashOf(tx, account.id)) !== undefined;
    if (!hasPassword) await this.accounts.setPasswordHash(tx, account.id, passwordHash, now);
    await this.audit.recordForPlatform(
      tx,
      { type: 'system' },
      {
        action: 'administrator.created',
        target: { type: 'Account', id: account.id },
        after: { email, promoted: existing !== null },
      },
    );
    return hasPassword ? true : undefined;
  }

  private configuredPassword(email: string): string {
    const password = this.env.BOOTSTRAP_ADMIN_PASSWORD ?? '';
    try {
      this.passwords.assertAcceptable(password, [email], '/password');
    } catch (error) {
      if (!(error instanceof InvalidInputError)) throw error;
      throw new StartupError(`BOOTSTRAP_ADMIN_PASSWORD is refused: ${error.message}`);
    }
    return password;
  }
}

function generatePassword(): string {
  return Array.from({ length: GENERATED_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
}
