// The part `row-security`: what the policies cost the server. One connection each under the login that they bind and under a
// superuser; both are sent the very same: the tenant and the statement in one batch. Then the statement without a tenant.
import { cpuOfBackends, ONE_CONNECTION } from './backend-cpu.mjs';
import { openDoors } from './own-doors.mjs';
import { anyTarget, getStatement, listStatement } from './pool-statements.mjs';
import { median, ratiosByRound } from './statistics.mjs';

const EXTENT = { rounds: 7, queries: 2_000, warmUpQueries: 500 };

/** @param {{ urls: Record<string, string>, targets: import('./cases.mjs').Targets }} setup */
export async function measureRowSecurity({ urls, targets }) {
  const bound = await openDoors(urls, ONE_CONNECTION);
  const free = await openDoors({ ...urls, app: urls.superuser }, ONE_CONNECTION);
  try {
    const figures = {};
    for (const [name, statementOf] of Object.entries({ get: getStatement, list: listStatement })) {
      const ask = (send) => () => {
        const target = anyTarget(targets);
        const { text, values } = statementOf(target);
        return send([{ text, values }], target.tenantId);
      };
      const ways = {
        with: [bound, ask((statements, tenantId) => bound.batch(tenantId, statements))],
        without: [free, ask((statements, tenantId) => free.batch(tenantId, statements))],
        statementAlone: [free, ask((statements) => free.pool.batch(statements))],
      };
      figures[name] = summaryOf(await cpuOfBackends(ways, EXTENT));
    }
    return { ...EXTENT, figures };
  } finally {
    await Promise.all([bound.close(), free.close()]);
  }
}

/** Medians, and of the ratios to the way without policies. */
export function summaryOf(values) {
  return Object.fromEntries(
    Object.entries(values).map(([way, costs]) => {
      const ratios = ratiosByRound(costs, values.without, ({ value }) => value);
      return [way, { cpuMicroseconds: median(costs.map(({ value }) => value)), ratio: median(ratios), ratios }];
    }),
  );
}

/** Of a part whose figures are of ways with and without policies. */
const comparing =
  (part) =>
  ({ figures }) =>
    Object.entries(figures).map(([name, ways]) => {
      const ratios = ways.with.ratios.filter(Number.isFinite); // none where CPU is not counted
      return { part, case: name, to: 'without', ratios };
    });

/** @type {(measured: object) => import('./aims.mjs').Comparison[]} */
export const compareRowSecurity = comparing('row-security');
/** @type {(measured: object) => import('./aims.mjs').Comparison[]} */
export const compareLargeLists = comparing('large-lists');
