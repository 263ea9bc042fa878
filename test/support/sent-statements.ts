import pg from 'pg';
import type { BatchStatement } from '../../src/database/statement-batch';

/** A statement as the application has sent it. */
export interface SentStatement {
  /** The name of the login. */
  login: string;
  /** undefined: none was set. */
  tenantId: string | undefined;
  text: string;
  values: readonly unknown[];
}

/** What something in the background may send meanwhile, as COMMIT, has no plan. */
const IS_READ = /^\s*(SELECT|WITH)\b/i;
const SET_TENANT = /^SELECT set_config\('app\.tenant_id'/;

/** Looks on while the application sends its statements; all of them still run. */
export class SentStatements {
  private readonly query = jest.spyOn(pg.Client.prototype, 'query');

  /** What `work` sends within tenants' and the platform's reads; what only says whose they are stays out. */
  async during(work: () => Promise<unknown>): Promise<SentStatement[]> {
    this.query.mockClear();
    await work();
    return this.query.mock.calls.flatMap(([sent], index) => {
      const { statements } = sent as unknown as { statements?: readonly BatchStatement[] };
      if (!statements) return [];
      const { user } = this.query.mock.contexts[index] as pg.Client;
      const tenantId = statements.find(({ text }) => SET_TENANT.test(text))?.values?.[0] as string | undefined;
      return statements
        .filter(({ isSilent, text }) => !isSilent && IS_READ.test(text))
        .map(({ text, values = [] }) => ({ login: user!, tenantId, text, values }));
    });
  }

  restore(): void {
    this.query.mockRestore();
  }
}
