// The part `duplicates`: a storm of e-mail addresses that are there already. Each attempt ends with a unique violation, after which
// Prisma's stock adapter has pg's pool drop the connection and make another one.
import { PrismaPg } from '@prisma/adapter-pg';
import prismaClient from '@prisma/client';
import pg from 'pg';
import { interleave, rateOf } from './interleave.mjs';
import { openDoors } from './own-doors.mjs';
import { program } from './program.mjs';
import { pick } from './request-parts.mjs';
import { median, ratiosByRound } from './statistics.mjs';

const { newId } = program('common/id');

const ROUNDS = 3;
const SECONDS = 2;
const WARM_UP_SECONDS = 1;
/** As many as Tenantry's pool for tenants (POSTGRES_POOL_SIZE). */
const POOL_SIZE = 10;

/** As a statement, and in Prisma's words. */
const INSERT = `INSERT INTO app.memberships (tenant_id, id, user_id, email, name, name_key)
  VALUES ($1, $2, $3, $4, 'Twin', 'twin') RETURNING id`;

/** @param {{ urls: Record<string, string>, targets: import('./cases.mjs').Targets }} setup */
export async function measureDuplicates({ urls, targets }) {
  const doors = await openDoors(urls);
  const stockPool = new pg.Pool({ connectionString: urls.superuser, max: POOL_SIZE });
  const stock = new prismaClient.PrismaClient({ adapter: new PrismaPg(stockPool), errorFormat: 'minimal' });
  try {
    const accountOf = await accounts(stockPool);
    const asks = {
      tenantry: [
        doors.pool,
        (row) => doors.tenants.write(row.tenantId, [{ text: INSERT, values: Object.values(row) }]),
      ],
      prisma: [doors.pool, (row) => doors.tenants.run(row.tenantId, (tx) => create(tx, row))],
      stock: [stockPool, (row) => create(stock, row)],
    };
    const opened = { tenantry: [], prisma: [], stock: [] };
    const ways = Object.entries(asks).map(([way, [pool, insert]]) => {
      const attempt = () => assertRefused(insert(twinOf(targets, accountOf)));
      const measure = async (seconds) => {
        let connections = 0;
        const count = () => (connections += 1);
        pool.on('connect', count);
        const rate = await rateOf(attempt, seconds);
        pool.off('connect', count);
        return { rate, connections };
      };
      return [way, measure];
    });
    for (const [, measure] of ways) await measure(WARM_UP_SECONDS);
    const counted = ways.map(([way, measure]) => [
      way,
      async () => {
        const { rate, connections } = await measure(SECONDS);
        opened[way].push(connections);
        return rate;
      },
    ]);
    const rates = await interleave(Object.fromEntries(counted), ROUNDS);
    return { rounds: ROUNDS, seconds: SECONDS, figures: summaryOf(rates, opened) };
  } finally {
    await stock.$disconnect();
    await Promise.all([doors.close(), stockPool.end()]);
  }
}

const create = (client, { tenantId, id, userId, email }) =>
  client.membership.create({ data: { tenantId, id, userId, email, name: 'Twin', nameKey: 'twin' } });

/** A row that has everything of somebody but the id. */
function twinOf({ tenants }, accountOf) {
  const { id: tenantId, users } = pick(tenants);
  const { id, email } = pick(users);
  return { tenantId, id: newId(), userId: accountOf.get(id), email };
}

/** By the id of the membership. */
async function accounts(pool) {
  const { rows } = await pool.query('SELECT id, user_id FROM app.memberships');
  return new Map(rows.map(({ id, user_id: accountId }) => [id, accountId]));
}

/** @throws Error when it succeeds, or fails for another reason than a unique index */
async function assertRefused(attempt) {
  try {
    await attempt;
  } catch (error) {
    if (error.code === '23505' || error.code === 'P2002') return;
    throw error;
  }
  throw new Error('A duplicate was written.');
}

function summaryOf(rates, opened) {
  return Object.fromEntries(
    Object.entries(rates).map(([way, values]) => {
      const ratios = ratiosByRound(values, rates.stock, ({ value }) => value);
      const perSecond = median(values.map(({ value }) => value));
      const connectionsOpened = opened[way].reduce((sum, count) => sum + count, 0);
      return [way, { perSecond, connectionsOpened, ratio: median(ratios), ratios }];
    }),
  );
}

/** @returns {import('./aims.mjs').Comparison[]} */
export const compareDuplicates = ({ figures: { tenantry, prisma } }) => [
  { part: 'duplicates', case: 'insert', to: 'stock', ratios: tenantry.ratios },
  {
    part: 'duplicates',
    case: 'connections',
    to: 'tenantry',
    ratios: [tenantry.connectionsOpened + prisma.connectionsOpened],
  },
];
