import { Prisma } from '@prisma/client';
import pg from 'pg';
import type { BoundedPool } from './bounded-pool';
import { type DatabaseScope, within } from './database-scope';
import { timedOperation } from './operation-timing';
import type { TenantryClient } from './prisma-client';

/** What reads carry: on behalf of whom. */
interface Scoped {
  scope: DatabaseScope;
}
type Operation = (args?: { where?: Record<string, unknown> }) => PromiseLike<unknown>;

/**
 * Prisma collects `findUnique` of one tick and asks them all in the scope of whoever came first: one caller's rows would be
 * looked for among another's tenant's (test/integration/tenant-pairs). `findFirst` goes its own way.
 */
const READS: Record<string, string> = {
  findFirst: 'findFirst',
  findFirstOrThrow: 'findFirstOrThrow',
  findMany: 'findMany',
  findUnique: 'findFirst',
  findUniqueOrThrow: 'findFirstOrThrow',
  count: 'count',
  aggregate: 'aggregate',
  groupBy: 'groupBy',
};

const parseTimestamp = pg.types.getTypeParser(pg.types.builtins.TIMESTAMPTZ) as (text: string) => unknown;
/** A moment of the years 1 to 9999 in UTC, as PostgreSQL writes it. */
const isPlainMoment = (text: string): boolean => text[4] === '-' && text[10] === ' ' && text.endsWith('+00');

/** As Prisma gives them. */
const PARSERS = new Map<number, (text: string) => unknown>([
  // V8 reads ISO 8601 ten times as fast as pg's expression reads PostgreSQL's form of it.
  [
    pg.types.builtins.TIMESTAMPTZ,
    (text) => (isPlainMoment(text) ? new Date(`${text.slice(0, 10)}T${text.slice(11, -3)}Z`) : parseTimestamp(text)),
  ],
  [pg.types.builtins.INT8, BigInt],
  [pg.types.builtins.NUMERIC, (text) => new Prisma.Decimal(text)],
]);
export const TYPES: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format: 'text') =>
    PARSERS.get(oid) ?? (pg.types.getTypeParser(oid, format) as (text: string) => unknown)) as never,
};

/**
 * Reads outside of a transaction, in the shape of a Prisma transaction: each statement takes one round trip, and runs in the
 * scope of the object that it was asked of, wherever its promise is awaited. `$queryRaw` goes past Prisma. There is nothing to
 * write with.
 */
export class Reader {
  private readonly Reads: new (scope: DatabaseScope) => object;

  constructor(client: TenantryClient, pool: BoundedPool) {
    class Reads implements Scoped {
      constructor(readonly scope: DatabaseScope) {}

      get tenantId(): string | undefined {
        return this.scope.tenantId;
      }

      $queryRaw(first: TemplateStringsArray | Prisma.Sql, ...values: unknown[]): Promise<unknown> {
        const sql = Array.isArray(first) ? Prisma.sql(first as readonly string[], ...values) : (first as Prisma.Sql);
        return timedOperation(pool.name, '$queryRaw', () => rowsOf(pool, sql, this.scope));
      }
    }
    for (const name of Object.keys(Prisma.ModelName)) {
      const property = name[0]!.toLowerCase() + name.slice(1);
      const model = modelOf(client[property as keyof TenantryClient] as unknown as Record<string, Operation>);
      Object.defineProperty(Reads.prototype, property, {
        get(this: Scoped): object {
          return Object.assign(Object.create(model) as object, { scope: this.scope });
        },
      });
    }
    this.Reads = Reads;
  }

  in(scope: DatabaseScope): object {
    return new this.Reads(scope);
  }
}

async function rowsOf(pool: BoundedPool, { text, values }: Prisma.Sql, scope: DatabaseScope): Promise<unknown[]> {
  const [result] = await pool.batch([{ text, values, types: TYPES }], scope);
  return result!.rows as unknown[];
}

function modelOf(model: Record<string, Operation>): object {
  const operations = Object.entries(READS).map(([name, operation]) => {
    const run = (scope: DatabaseScope, args: Parameters<Operation>[0]): Promise<unknown> =>
      within(scope, () => model[operation]!(name === operation ? args : withoutCompoundKeys(args)));
    return [
      name,
      function (this: Scoped, args: Parameters<Operation>[0]): Promise<unknown> {
        return run(this.scope, args);
      },
    ];
  });
  return Object.fromEntries(operations) as object;
}

/** `{ tenantId_id: { tenantId, id } }`, which only `findUnique` takes, as `{ tenantId, id }`. No field has such a name. */
function withoutCompoundKeys(args: Parameters<Operation>[0]): Parameters<Operation>[0] {
  const where = Object.entries(args?.where ?? {}).map(([key, value]) =>
    key.includes('_') ? (value as object) : { [key]: value },
  );
  return { ...args, where: Object.assign({}, ...where) as Record<string, unknown> };
}
