// The part `pool`: Tenantry's way to the database without HTTP, against pg with prepared statements under a superuser, so without
// row-level security; Prisma over Tenantry's pool, and pgbench, for comparison.
import { isDeepStrictEqual } from 'node:util';
import pg from 'pg';
import { interleave, rateOf } from './interleave.mjs';
import { openDoors } from './own-doors.mjs';
import { pgbenchWays } from './pgbench.mjs';
import { anyTarget, getStatement, insertStatements, LIMIT, listStatement } from './pool-statements.mjs';
import { median, ratiosByRound } from './statistics.mjs';

const ROUNDS = 5;
const SECONDS = 1;
const WARM_UP_SECONDS = 2;

/** As many as Tenantry's pool for tenants (POSTGRES_POOL_SIZE). */
const POOL_SIZE = 10;

/** @param {{ urls: Record<string, string>, targets: import('./cases.mjs').Targets }} setup */
export async function measurePool({ urls, targets }) {
  const doors = await openDoors(urls);
  const raw = new pg.Pool({ connectionString: urls.superuser, max: POOL_SIZE });
  try {
    const operations = operationsOf(doors, raw);
    await assertSameRows(operations, raw, anyTarget(targets));
    const { ways: references, note } = pgbenchWays(urls.superuser, targets, SECONDS);
    const figures = {};
    for (const [name, asks] of Object.entries(operations)) {
      const entries = Object.entries(asks);
      for (const [, ask] of entries) await rateOf(() => ask(anyTarget(targets)), WARM_UP_SECONDS);
      const ways = entries.map(([way, ask]) => [way, () => rateOf(() => ask(anyTarget(targets)), SECONDS)]);
      if (references) ways.push(['pgbench', references[name]]);
      figures[name] = summaryOf(await interleave(Object.fromEntries(ways), ROUNDS));
    }
    return { rounds: ROUNDS, seconds: SECONDS, pgbench: note, figures };
  } finally {
    await Promise.all([doors.close(), raw.end()]);
  }
}

/** Each way to do each operation. */
function operationsOf({ tenants }, raw) {
  const ownRows = (statementOf) => (target) => tenants.read(target.tenantId, (tx) => tx.$queryRaw(statementOf(target)));
  const rawRows = (name, statementOf) => async (target) => {
    const { text, values } = statementOf(target);
    return (await raw.query({ name, text, values })).rows;
  };
  const inserted = (insert) => async (target) => {
    const statements = insertStatements(target);
    await insert(statements, target);
    return statements.roleId;
  };
  return {
    get: {
      tenantry: ownRows(getStatement),
      raw: rawRows('get', getStatement),
      prisma: async ({ tenantId, userId }) => [
        await tenants.read(tenantId, (tx) => tx.membership.findFirst(prismaGet(tenantId, userId))),
      ],
    },
    list: {
      tenantry: ownRows(listStatement),
      raw: rawRows('list', listStatement),
      prisma: ({ tenantId }) => tenants.read(tenantId, (tx) => tx.membership.findMany(prismaList(tenantId))),
    },
    insert: {
      tenantry: inserted((statements, { tenantId }) => tenants.write(tenantId, statements.batch)),
      raw: inserted(({ whole }) => raw.query({ name: 'insert', ...whole })),
    },
  };
}

const COLUMNS = {
  id: true,
  email: true,
  name: true,
  nameKey: true,
  status: true,
  version: true,
  createdAt: true,
  updatedAt: true,
};

const prismaGet = (tenantId, id) => ({
  where: { tenantId, id },
  select: {
    ...COLUMNS,
    roles: {
      where: { tenantId, OR: [{ expiresAt: null }, { expiresAt: { gt: new Date() } }] },
      select: { expiresAt: true, role: { select: { id: true, name: true, systemKey: true } } },
      orderBy: { roleId: 'asc' },
    },
  },
});

const prismaList = (tenantId) => ({
  where: { tenantId },
  orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
  take: LIMIT + 1,
  select: COLUMNS,
});

/** @throws Error when two ways find, or write, something different */
async function assertSameRows({ get, list, insert }, raw, target) {
  for (const ways of [get, list]) {
    const [expected, ...others] = await Promise.all(Object.values(ways).map((ask) => ask(target)));
    if (expected.length === 0 || !others.every((rows) => isDeepStrictEqual(rows, expected))) {
      throw new Error(`The ways find different rows: ${JSON.stringify([expected, ...others])}`);
    }
  }
  for (const write of Object.values(insert)) {
    const { rows } = await raw.query(
      `SELECT r.description, e.action, e.after FROM app.roles r JOIN audit.events e USING (tenant_id)
        WHERE tenant_id = $1 AND r.id = $2 AND e.target_id = r.id`,
      [target.tenantId, await write(target)],
    );
    if (rows.length !== 1) throw new Error(`A role and its audit event, written: ${JSON.stringify(rows)}`);
  }
}

/** Medians of what each way does a second, and of the ratios of Tenantry's to the others'. */
function summaryOf(values) {
  return Object.fromEntries(
    Object.entries(values).map(([way, rates]) => {
      const ratios = ratiosByRound(rates, values.raw, ({ value }) => value);
      return [way, { perSecond: median(rates.map(({ value }) => value)), ratio: median(ratios), ratios }];
    }),
  );
}

/** @returns {import('./aims.mjs').Comparison[]} */
export const comparePool = ({ figures }) =>
  Object.entries(figures).map(([name, { tenantry }]) => {
    return { part: 'pool', case: name, to: 'raw', ratios: tenantry.ratios };
  });
