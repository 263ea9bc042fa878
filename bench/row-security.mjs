// The part `row-security`: what the policies cost the server. One connection each under the login that they bind and under a
// superuser; both are sent the very same: the tenant and the statement in one batch. Then the statement without a tenant.
import { cpuOfThread } from './cpu.mjs';
import { interleave } from './interleave.mjs';
import { openDoors } from './own-doors.mjs';
import { anyTarget, getStatement, listStatement } from './pool-statements.mjs';
import { median, ratiosByRound } from './statistics.mjs';

const ROUNDS = 7;
const QUERIES = 2_000;
const WARM_UP_QUERIES = 500;
const ONE_CONNECTION = { POSTGRES_POOL_SIZE: '1' };

/** @param {{ urls: Record<string, string>, targets: import('./cases.mjs').Targets }} setup */
export async function measureRowSecurity({ urls, targets }) {
  const bound = await openDoors(urls, ONE_CONNECTION);
  const free = await openDoors({ ...urls, app: urls.superuser }, ONE_CONNECTION);
  try {
    const figures = {};
    for (const [name, statementOf] of Object.entries({ get: getStatement, list: listStatement })) {
      const plain = (target) => {
        const { text, values } = statementOf(target);
        return [{ text, values }];
      };
      const asks = {
        with: [bound, (target) => bound.batch(target.tenantId, plain(target))],
        without: [free, (target) => free.batch(target.tenantId, plain(target))],
        statementAlone: [free, (target) => free.pool.batch(plain(target))],
      };
      const ways = {};
      for (const [way, [doors, ask]] of Object.entries(asks)) {
        const run = async (queries) => {
          for (let done = 0; done < queries; done += 1) await ask(anyTarget(targets));
        };
        await run(WARM_UP_QUERIES);
        const pid = await backendOf(doors.pool);
        ways[way] = async () => {
          const before = cpuOfThread(pid);
          await run(QUERIES);
          return (cpuOfThread(pid) - before) / QUERIES;
        };
      }
      figures[name] = summaryOf(await interleave(ways, ROUNDS));
    }
    return { rounds: ROUNDS, queries: QUERIES, figures };
  } finally {
    await Promise.all([bound.close(), free.close()]);
  }
}

async function backendOf(pool) {
  const { rows } = await pool.query('SELECT pg_backend_pid() AS pid');
  return rows[0].pid;
}

/** Medians, and of the ratios to the way without policies. */
function summaryOf(values) {
  return Object.fromEntries(
    Object.entries(values).map(([way, costs]) => {
      const ratios = ratiosByRound(costs, values.without, ({ value }) => value);
      return [way, { cpuMicroseconds: median(costs.map(({ value }) => value)), ratio: median(ratios), ratios }];
    }),
  );
}

/** @returns {import('./aims.mjs').Comparison[]} */
export const compareRowSecurity = ({ figures }) =>
  Object.entries(figures).map(([name, ways]) => {
    const ratios = ways.with.ratios.filter(Number.isFinite); // none where CPU is not counted
    return { part: 'row-security', case: name, to: 'without', ratios };
  });
