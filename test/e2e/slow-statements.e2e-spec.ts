import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LoggerService } from '@nestjs/common';
import { statementDone } from '../../src/database/database-events';
import { PlatformDb } from '../../src/database/platform-db';
import { Pools } from '../../src/database/pools';
import { TenantDb } from '../../src/database/tenant-db';
import type { StatementsDto } from '../../src/monitoring/statement.dto';
import { createTestApp, type TestApp } from '../support/app';
import { eventually } from '../support/eventually';
import { newTenantWithOwner } from '../support/tenant';

const THRESHOLD_MS = 300;

/** Everything that any logger is told. */
let log = '';
const take = (...words: unknown[]): void => void (log += `${JSON.stringify(words)}\n`);
const everything: LoggerService = { log: take, error: take, warn: take, debug: take };

/** What the log has of slow statements that show this. */
function slowOnes(part: string): Record<string, unknown>[] {
  const lines = log.split('\n').filter((line) => line.includes('"SlowStatement"'));
  const told = lines.map((line) => (JSON.parse(line) as [Record<string, unknown>])[0]);
  return told.filter(({ text }) => String(text).includes(part));
}

const secret = (): string => `secret${randomBytes(8).toString('hex')}`;

let app: TestApp;
let tenantId: string;
beforeAll(async () => {
  app = await createTestApp({ SLOW_QUERY_MS: THRESHOLD_MS });
  app.nest.useLogger(everything);
  ({ id: tenantId } = (await newTenantWithOwner(app)).tenant);
});
beforeEach(() => {
  log = '';
});
afterAll(async () => {
  app?.nest.useLogger(false);
  await app?.close();
});

const platform = (): PlatformDb => app.nest.get(PlatformDb);

describe('what is told of a statement', () => {
  /** What the code that listens finds in the context: who asked. */
  async function contextsOf(ask: (caller: number) => Promise<unknown>): Promise<(number | undefined)[]> {
    const context = new AsyncLocalStorage<number>();
    const contexts: (number | undefined)[] = [];
    const stop = statementDone.subscribe(({ sql }) => {
      if (sql.includes('in_context')) contexts.push(context.getStore());
    });
    // The second finds the connection that the first one has opened.
    for (const caller of [1, 2]) await context.run(caller, () => ask(caller));
    stop();
    return contexts;
  }

  it("is told in its caller's context, through Prisma and through the pool", async () => {
    expect(await contextsOf(() => platform().run((tx) => tx.$queryRaw`SELECT 1 AS in_context`))).toEqual([1, 2]);
    const pool = app.nest.get(Pools).platform;
    expect(await contextsOf(() => pool.query('SELECT 1 AS in_context'))).toEqual([1, 2]);
  });
});

describe('the log of slow statements', () => {
  it('has one line: fingerprint, time, pool and the statement, of whose values none is in the log', async () => {
    const parameter = secret();
    const literal = secret();
    const comment = secret();
    await app.nest.get(TenantDb).run(tenantId, async (tx) => {
      const text = Object.assign(
        [`SELECT pg_sleep(0.4)::text AS slept, '${literal}' AS b, 918273645 /* ${comment} */, `, '::text AS d'],
        {
          raw: [],
        },
      ) as unknown as TemplateStringsArray;
      const rows = await tx.$queryRaw<{ b: string; d: string }[]>(text, parameter);
      expect(rows).toMatchObject([{ b: literal, d: parameter }]); // so the statement had the values
    });
    expect(slowOnes('slept')).toEqual([
      {
        msg: 'Slow statement',
        textFingerprint: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
        durationMs: expect.any(Number) as number,
        pool: 'app',
        outcome: 'ok',
        text: 'SELECT pg_sleep(?)::text AS slept, ? AS b, ? , $1::text AS d',
      },
    ]);
    expect(slowOnes('slept')[0]!.durationMs).toBeGreaterThanOrEqual(400);
    for (const value of [parameter, literal, comment, '918273645', tenantId]) expect(log).not.toContain(value);
  });

  it('names the request', async () => {
    const { owner, tenant } = await newTenantWithOwner(app);
    const holder = await app.database.connect('owner');
    await holder.query('BEGIN; LOCK TABLE app.roles IN ACCESS EXCLUSIVE MODE');
    const letGo = async (): Promise<void> => {
      await eventually(async () => {
        const waiting = await app.database.query(
          'admin',
          `SELECT FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
        );
        expect(waiting).not.toEqual([]);
      });
      await sleep(THRESHOLD_MS + 100);
      await holder.end();
    };
    const call = owner.get(`/v1/tenants/${tenant.id}/roles`).set('x-request-id', 'the-slow-one');
    await Promise.all([call.expect(200), letGo()]);
    expect(slowOnes('roles')).toMatchObject([{ requestId: 'the-slow-one' }]);
  });

  it('has the fingerprint under which the statement is listed', async () => {
    await platform().run((tx) => tx.$queryRaw`SELECT pg_sleep(0.4)::text AS same_here_and_there, ${'any'}::text`);
    const [told] = slowOnes('same_here_and_there');
    const { body } = await app.administrator.get<StatementsDto>('/v1/platform/database/statements').expect(200);
    const listed = body.data.filter(({ text }) => text.includes('same_here_and_there'));
    expect(listed).toMatchObject([{ login: 'tenantry_platform', textFingerprint: told!.textFingerprint, calls: 1 }]);
  });

  it('tells of one that failed, and why', async () => {
    const value = secret();
    const work = platform().run(
      (tx) =>
        tx.$queryRaw`SELECT 1 / (length(${value}) - length(${value}) + coalesce(length(pg_sleep(0.4)::text), 0)) AS failed`,
    );
    await expect(work).rejects.toThrow();
    expect(slowOnes('failed')).toMatchObject([{ pool: 'platform', outcome: '22012' }]);
    expect(log).not.toContain(value);
  });

  it.each([
    ['is off at 0', 0],
    ['does not tell of quicker ones', 60_000],
  ])('%s', async (_, threshold) => {
    const quiet = await createTestApp({ SLOW_QUERY_MS: threshold });
    try {
      quiet.nest.useLogger(everything);
      await quiet.nest.get(PlatformDb).run((tx) => tx.$queryRaw`SELECT pg_sleep(0.4)::text AS unheard`);
    } finally {
      await quiet.close();
    }
    // The first instance, in the same process, has the same announcements: it tells, this one does not.
    expect(slowOnes('unheard')).toHaveLength(1);
  });
});
