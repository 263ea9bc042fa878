import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { newId } from '../../src/common/id';
import { type Query, readCatalogue } from '../support/catalogue';
import { newDatabase, type TestDatabase } from '../support/postgres';
import { Rows } from '../support/rows';
import { SCHEMA_RULES, violationsOf } from '../support/schema-rules';
import { ROOT, runTool } from '../support/source-tree';
import { TENANT_TABLES, TENANTS } from '../support/tenant-tables';

const asLogin =
  (database: TestDatabase, login: 'admin' | 'owner' | 'app'): Query =>
  (sql, parameters) =>
    database.query(login, sql, parameters);

describe('the migrated schema', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await newDatabase();
  });
  afterAll(() => database.drop());

  it.each(SCHEMA_RULES)('$name', async (rule) => {
    expect(await violationsOf(rule, asLogin(database, 'admin'))).toEqual([]);
  });

  it('is the one that schema.prisma declares', async () => {
    const diff = ['migrate', 'diff', '--from-config-datasource', '--to-schema', 'prisma/schema.prisma', '--exit-code'];
    const run = await runTool('node_modules/prisma/build/index.js', diff, ROOT, {
      POSTGRES_OWNER_URL: database.urls.owner,
    });
    expect(run).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('No difference detected') as string });
  });

  describe('app.current_tenant()', () => {
    it('is a stable SQL function without settings of its own, so that the planner can inline it', async () => {
      const facts = await database.query(
        'admin',
        `SELECT l.lanname AS language, p.provolatile AS volatility, p.proparallel AS parallel, p.prosecdef AS definer, p.proconfig AS settings
         FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE p.oid = 'app.current_tenant()'::regprocedure`,
      );
      expect(facts).toEqual([{ language: 'sql', volatility: 's', parallel: 's', definer: false, settings: null }]);
    });

    it.each(TENANT_TABLES)('costs nothing per row of %s where the query names the tenant', async (name) => {
      const column = name === TENANTS ? 'id' : 'tenant_id';
      const tenantId = newId();
      const plans = await database.inTransaction('app', tenantId, async (client) => {
        const explain = async (sql: string): Promise<string> => {
          const { rows } = await client.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${sql}`);
          return rows.map((row) => row['QUERY PLAN']).join('\n');
        };
        await client.query("SET LOCAL plan_cache_mode = 'force_generic_plan'");
        await client.query(`PREPARE rows_of (uuid) AS SELECT * FROM ${name} WHERE ${column} = $1`);
        const found = {
          withValue: await explain(`SELECT * FROM ${name} WHERE ${column} = '${tenantId}'`),
          withParameter: await explain(`EXECUTE rows_of ('${tenantId}')`),
        };
        await client.query('DEALLOCATE rows_of'); // a rollback keeps it
        return found;
      });
      for (const plan of Object.values(plans)) {
        expect(plan).toMatch(/One-Time Filter: .*current_setting\('app\.tenant_id'/);
        expect(plan).not.toMatch(/^\s*(Filter|Index Cond|Recheck Cond): .*current_setting/m);
        expect(plan).not.toContain('current_tenant');
      }
    });
  });
});

describe('the migrations', () => {
  const folder = path.join(ROOT, 'prisma/migrations');
  const migrations = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .toSorted();

  it.each([
    ['an empty database', false],
    ['one that is filled after each', true],
  ])('apply one by one to %s', async (_, isFilled) => {
    const database = await newDatabase({ empty: true });
    try {
      const admin = asLogin(database, 'admin');
      let filled = 0;
      for (const name of migrations) {
        // As Prisma does: the whole script at once, under the owner's login.
        await database.query('owner', readFileSync(path.join(folder, name, 'migration.sql'), 'utf8'));
        if (!isFilled) continue;
        const catalogue = await readCatalogue(admin);
        const present = TENANT_TABLES.filter((table) => catalogue.has(table));
        if (present.includes(TENANTS)) filled = (await new Rows(catalogue, admin).fillTenant(newId(), present)).size;
      }
      for (const rule of SCHEMA_RULES) expect([rule.name, await violationsOf(rule, admin)]).toEqual([rule.name, []]);
      expect(filled).toBe(isFilled ? TENANT_TABLES.length : 0);
    } finally {
      await database.drop();
    }
  });
});

/** Each plants one flaw as the owner, and says what the rule must report. */
const FLAWS: Record<string, { plant: string; reported: string[] }> = {
  'a tenant table has its tenant, a uuid that is never null, first in its primary key': {
    plant: 'CREATE TABLE app.flawed (id uuid, tenant_id uuid NOT NULL, PRIMARY KEY (id, tenant_id))',
    reported: ['app.flawed'],
  },
  'a tenant table is under row-level security, enabled and forced': {
    plant: `CREATE TABLE app.flawed (tenant_id uuid, id uuid, PRIMARY KEY (tenant_id, id));
      CREATE TABLE audit.flawed (LIKE app.flawed INCLUDING ALL); ALTER TABLE audit.flawed ENABLE ROW LEVEL SECURITY`,
    reported: ['app.flawed', 'audit.flawed'],
  },
  'a tenant table has exactly the policies tenant_isolation for everybody, size_sampling and backup_checksums for the owner, and those of the platform that are listed':
    {
      plant: `CREATE TABLE app.flawed (tenant_id uuid, id uuid, PRIMARY KEY (tenant_id, id));
      ALTER POLICY tenant_isolation ON app.memberships WITH CHECK (true);
      CREATE POLICY more ON app.roles FOR SELECT TO tenantry_app USING (true)`,
      reported: [
        "missing: app.flawed backup_checksums PERMISSIVE {tenantry_owner} SELECT USING (SESSION_USER = 'tenantry_backup'::name) CHECK -",
        "missing: app.flawed size_sampling PERMISSIVE {tenantry_owner} SELECT USING (SESSION_USER = 'tenantry_monitor'::name) CHECK -",
        'missing: app.flawed tenant_isolation PERMISSIVE {public} ALL USING (tenant_id = app.current_tenant()) CHECK (tenant_id = app.current_tenant())',
        'missing: app.memberships tenant_isolation PERMISSIVE {public} ALL USING (tenant_id = app.current_tenant()) CHECK (tenant_id = app.current_tenant())',
        'unexpected: app.memberships tenant_isolation PERMISSIVE {public} ALL USING (tenant_id = app.current_tenant()) CHECK true',
        'unexpected: app.roles more PERMISSIVE {tenantry_app} SELECT USING true CHECK -',
      ],
    },
  'what is unique in a tenant table is unique within the tenant': {
    plant: 'CREATE UNIQUE INDEX flawed ON app.roles (name_key) INCLUDE (tenant_id)',
    reported: ['app.roles app.flawed'],
  },
  'an exclusion constraint of a tenant table is one within the tenant': {
    plant: 'ALTER TABLE app.roles ADD CONSTRAINT flawed EXCLUDE USING btree (name_key WITH =)',
    reported: ['app.roles flawed'],
  },
  'a foreign key between tenant tables carries the tenant on both sides': {
    plant: `CREATE UNIQUE INDEX flawed_key ON app.roles (id);
      ALTER TABLE app.membership_roles ADD CONSTRAINT flawed FOREIGN KEY (role_id) REFERENCES app.roles (id)`,
    reported: ['app.membership_roles flawed'],
  },
  'a foreign key has an index that begins with its columns': {
    plant: `ALTER TABLE app.roles ADD maker_id uuid, ADD CONSTRAINT flawed FOREIGN KEY (tenant_id, maker_id) REFERENCES app.memberships (tenant_id, id);
      CREATE INDEX ON app.roles (tenant_id, name, maker_id); CREATE INDEX ON app.roles (tenant_id, maker_id) WHERE maker_id IS NOT NULL`,
    reported: ['app.roles flawed'],
  },
  'no column is an enum: comparing one is not leakproof, so no index would serve it under row-level security': {
    plant: `CREATE TYPE app.mood AS ENUM ('good', 'bad'); ALTER TABLE app.roles ADD mood app.mood, ADD moods app.mood[]`,
    reported: ['app.roles.mood', 'app.roles.moods'],
  },
  'a moment is a timestamptz(3)': {
    plant: 'ALTER TABLE app.roles ADD seen timestamp, ADD used timestamptz',
    reported: ['app.roles.seen', 'app.roles.used'],
  },
  "a view has its caller's rights, and nothing materialized stands beside the tables: row-level security is on tables only":
    {
      plant: `CREATE VIEW public.flawed AS SELECT * FROM app.roles; CREATE MATERIALIZED VIEW app.flawed AS SELECT * FROM app.roles`,
      reported: ['app.flawed', 'public.flawed'],
    },
  "a function with its owner's rights is listed, has a fixed search_path and is not for everybody": {
    plant: `CREATE FUNCTION app.flawed() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
      ALTER FUNCTION identity.active_session(uuid) SET search_path = app, public`,
    reported: [
      'app.flawed(): everybody may call it',
      'app.flawed(): no fixed search_path',
      'app.flawed(): not listed',
      'identity.active_session(uuid): no fixed search_path',
    ],
  },
};

describe('each of these rules reports its flaw', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await newDatabase();
  });
  afterAll(() => database.drop());

  it.each(SCHEMA_RULES)('$name', async (rule) => {
    const flaw = FLAWS[rule.name]!;
    await database.inTransaction('owner', undefined, async (client) => {
      await client.query(flaw.plant);
      const query: Query = async <Result extends object>(sql: string, parameters?: unknown[]) =>
        (await client.query(sql, parameters)).rows as Result[];
      expect(await violationsOf(rule, query)).toEqual(flaw.reported);
    });
  });
});
