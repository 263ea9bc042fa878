import { describeStatement } from './statement-text';

const textOf = (sql: string): string => describeStatement(sql).text;
const fingerprintOf = (sql: string): string => describeStatement(sql).textFingerprint;

describe('a statement as it is shown', () => {
  it.each([
    ['SELECT 1', 'SELECT ?'],
    ['SELECT  a ,\n\tb\nFROM t', 'SELECT a , b FROM t'],
    ["SET LOCAL app.tenant_id = '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e01'", 'SET LOCAL app.tenant_id = ?'],
    ["SELECT 'it''s secret', E'it\\'s secret', U&'\\0073ecret', N'secret', x'5ec'", 'SELECT ?, ?, ?, ?, ?'],
    ["SELECT $$secret$$, $a$ $$secret $b$ $a$, '$1'", 'SELECT ?, ?, ?'],
    ['SELECT "Column 1", t1.c2, int4(7), $12::uuid FROM t1', 'SELECT "Column 1", t1.c2, int4(?), $12::uuid FROM t1'],
    ['SELECT 1.5e-3, .5, 0xFF, 1_000, -42', 'SELECT ?, ?, ?, ?, -?'],
    ["SELECT 1 -- of 'secret'\n, 2 /* secret /* and */ 'secret' */ , 3", 'SELECT ? , ? , ?'],
    ['SELECT "a ""quoted"" 7" AS 名前7', 'SELECT "a ""quoted"" 7" AS 名前7'],
    ["SELECT 'never ended secret", 'SELECT ?'],
    ['SELECT $x$never ended secret', 'SELECT ?'],
    ["SELECT e'never ended secret\\", 'SELECT ?'],
    ['SELECT /* never ended secret', 'SELECT'],
    ['', ''],
  ])('%j is %j', (sql, text) => {
    expect(textOf(sql)).toBe(text);
  });

  it('is cut, and leaves out whole a value within which it is cut', () => {
    const long = `SELECT ${'a, '.repeat(2_000)} 1`;
    expect(textOf(long)).toHaveLength(2_000);
    expect(textOf(long)).toMatch(/^SELECT a, .*…$/);
    expect(textOf(`SELECT '${'secret '.repeat(10_000)}'`)).toBe('SELECT ?');
  });

  it('takes no longer for a text that invites backtracking', () => {
    for (const part of ["'", "e'\\", '/*', '$$', '"', '1_', '--']) {
      expect(textOf(part.repeat(500_000)).length).toBeLessThanOrEqual(2_000);
    }
  });
});

describe('the fingerprint of a text', () => {
  it('is that of the statement, whatever its values, its space, its comments and the length of its lists', () => {
    const same = [
      'SELECT a FROM t WHERE b = $1 AND c IN ($2, $3) LIMIT $4',
      "SELECT a\n  FROM t WHERE b = 'x' AND c IN (1,2, 3) LIMIT 20 -- why",
      'SELECT a FROM t WHERE b = $1 AND c IN ($2 /*, ... */) LIMIT $3', // as PostgreSQL 18 has it
    ];
    expect(new Set(same.map(fingerprintOf)).size).toBe(1);
    expect(fingerprintOf(same[0]!)).toMatch(/^[0-9a-f]{16}$/);
  });

  it('is another for another statement', () => {
    expect(fingerprintOf('SELECT a FROM t')).not.toBe(fingerprintOf('SELECT b FROM t'));
  });
});
