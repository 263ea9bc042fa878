import type pg from 'pg';
import { readText } from '../support/monitoring-files';
import { newDatabase, type TestDatabase } from '../support/postgres';

const runbooks = readText('docs/runbooks.md');

/** What it tells people to ask PostgreSQL: `psql … -c '…'`, and blocks of SQL. */
const queries = [
  ...[...runbooks.matchAll(/psql "\$POSTGRES_ADMIN_URL" -c (["'])(.+?)\1(?=[\s`]|$)/gm)].map(([, , sql]) => sql!),
  ...[...runbooks.matchAll(/^```sql\n(.+?)^```$/gms)].map(([, sql]) => sql!),
  ...[...runbooks.matchAll(/`(SELECT .+? FROM .+?)`/g)].map(([, sql]) => sql!),
];

describe('docs/runbooks.md', () => {
  let database: TestDatabase;
  let administrator: pg.Client;

  beforeAll(async () => {
    database = await newDatabase();
    administrator = await database.connect('admin');
  });

  afterAll(async () => {
    await administrator.end();
    await database.drop();
  });

  it('has queries', () => {
    expect(queries.length).toBeGreaterThan(12);
  });

  it.each(queries)('asks what PostgreSQL can answer: %s', async (sql) => {
    await expect(administrator.query(sql)).resolves.toBeDefined();
  });
});
