import pg from 'pg';
import type { SentStatement } from './sent-statements';

/** How a prepared statement can be planned: for the values at hand, or once for all values. */
export const PLAN_MODES = ['force_custom_plan', 'force_generic_plan'] as const;
export type PlanMode = (typeof PLAN_MODES)[number];

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Index Cond'?: string;
  Filter?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  'Rows Removed by Index Recheck'?: number;
  Plans?: PlanNode[];
}

const { utils } = pg as unknown as { utils: { prepareValue(value: unknown): string | null } };

/** The plan of a statement with its values under the login of `client`, as it was run. Nothing is left behind. */
export async function planOf(
  client: pg.ClientBase,
  { tenantId, text, values }: SentStatement,
  mode: PlanMode,
): Promise<PlanNode> {
  const literals = values.map((value) => {
    const prepared = utils.prepareValue(value);
    return prepared === null ? 'NULL' : pg.escapeLiteral(prepared);
  });
  const tenant = tenantId === undefined ? '' : `SET LOCAL app.tenant_id = ${pg.escapeLiteral(tenantId)};`;
  try {
    // Several statements at once give an array of results.
    const results = (await client.query(`BEGIN; ${tenant} SET LOCAL plan_cache_mode = ${mode}; SET LOCAL jit = off;
      PREPARE sent AS ${text};
      EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF, FORMAT JSON) EXECUTE sent ${literals.length > 0 ? `(${literals.join()})` : ''}`)) as unknown as pg.QueryResult<{
      'QUERY PLAN': [{ Plan: PlanNode }];
    }>[];
    return results.at(-1)!.rows[0]!['QUERY PLAN'][0].Plan;
  } finally {
    await client.query('ROLLBACK; DEALLOCATE ALL');
  }
}

interface Visit {
  node: PlanNode;
  /** What it gives is sorted above, so all of it is read. */
  isSorted: boolean;
}

/** All nodes that were run. */
function visits(node: PlanNode, isSorted = false): Visit[] {
  if (node['Actual Loops'] === 0) return [];
  const below =
    node['Node Type'] === 'Limit' ? false : isSorted || ['Sort', 'HashAggregate'].includes(node['Node Type']);
  return [{ node, isSorted }, ...(node.Plans ?? []).flatMap((plan) => visits(plan, below))];
}

const columnsIn = (condition: string | undefined): Set<string> =>
  new Set([...(condition ?? '').matchAll(/\b([a-z_]+)\b(?= (?:[<>=]|IS)|,|\))/g)].map(([, name]) => name!));

/** So many rows may be left to a filter where an index tells no more than the tenant. */
const MAX_SKIPPED = 1_000;
/** So many rows may be read for one page: a person in 2,000 tenants takes 4,000. */
const MAX_READ = 5_000;
/** Tables that never grow. */
const SMALL = ['signing_keys', 'permissions'];

/** What is wrong with a plan for large tables, as it was run: nothing, when it is empty. */
export function faultsOf(plan: PlanNode): string[] {
  const scans = visits(plan).filter(({ node }) => node['Node Type'].endsWith('Scan'));
  const read = scans.reduce((sum, { node }) => sum + rowsRead(node), 0);
  const [most] = scans.map(({ node }) => node).toSorted((one, other) => rowsRead(other) - rowsRead(one));
  const faults = scans.flatMap(({ node, isSorted }) => faultsOfScan(node, isSorted));
  return read > MAX_READ ? [...faults, `reads ${Math.round(read)} rows, most of them by ${describe(most!)}`] : faults;
}

function faultsOfScan(node: PlanNode, isSorted: boolean): string[] {
  const { 'Relation Name': relation = '', 'Index Name': index, 'Index Cond': condition = '', Filter } = node;
  if (node['Node Type'] === 'Seq Scan') return SMALL.includes(relation) ? [] : [`reads all of ${relation}`];
  if (index === undefined || [...columnsIn(condition)].some((column) => column !== 'tenant_id')) return [];
  const skipped = (node['Rows Removed by Filter'] ?? 0) * node['Actual Loops'];
  if (skipped > MAX_SKIPPED) return [`${index} [${condition}] leaves ${skipped} rows to a filter, ${Filter}`];
  return isSorted && rowsRead(node) > MAX_SKIPPED ? [`${index} [${condition}] is read whole and sorted`] : [];
}

function describe(node: PlanNode): string {
  const { 'Relation Name': relation, 'Index Name': index = '', 'Index Cond': condition = '', Filter = '' } = node;
  return `${node['Node Type']} on ${relation} ${index} [${condition}] ${Filter}`;
}

/** The rows that a scan has looked at. Those of a bitmap are looked at above it. */
function rowsRead(node: PlanNode): number {
  if (!node['Relation Name']) return 0;
  const each =
    node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0);
  return node['Actual Loops'] * each;
}
