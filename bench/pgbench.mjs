// pgbench, PostgreSQL's own load generator, asking the same SQL: what the server gives a client that is written in C.
import { execFile } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { escapeLiteral } from 'pg';
import { CONCURRENCY } from './interleave.mjs';
import { anyTarget, getStatement, insertStatements, listStatement } from './pool-statements.mjs';

/** Its variables hold numbers only, so the values stand in the SQL, and there is one script for each of so many users. */
const SCRIPTS = 20;
const DEBIAN_ROOT = '/usr/lib/postgresql';

/**
 * @param {string} url of a superuser
 * @returns {{ ways: Record<string, () => Promise<number>> | undefined, note: string }} ways: by operation, measures what is done a second
 */
export function pgbenchWays(url, targets, seconds) {
  const program = find();
  if (!program) return { ways: undefined, note: 'pgbench was not found on this machine: no reference of it' };
  const texts = { get: asText(getStatement), list: asText(listStatement), insert: insertText };
  const ways = Object.entries(texts).map(([name, textOf]) => [name, () => run(program, url, textOf, targets, seconds)]);
  return { ways: Object.fromEntries(ways), note: program };
}

/** On PATH, or where Debian keeps those of each version; the newest. */
function find() {
  const onPath = (process.env.PATH ?? '').split(path.delimiter);
  const ofDebian = versionsOf(DEBIAN_ROOT).map((version) => path.join(DEBIAN_ROOT, version, 'bin'));
  return [...ofDebian, ...onPath].map((directory) => path.join(directory, 'pgbench')).find(isExecutable);
}

function versionsOf(root) {
  try {
    return readdirSync(root).toSorted((a, b) => Number(b) - Number(a));
  } catch {
    return [];
  }
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** @returns {Promise<number>} transactions a second, the time to connect not counted */
async function run(program, url, textOf, targets, seconds) {
  const directory = mkdtempSync(path.join(tmpdir(), 'tenantry-bench-pgbench-'));
  try {
    const files = Array.from({ length: SCRIPTS }, (_, place) => path.join(directory, `${place}.sql`));
    for (const file of files) writeFileSync(file, `${textOf(anyTarget(targets))};\n`, { mode: 0o600 });
    const scripts = files.flatMap((file) => ['-f', file]);
    const options = ['-n', '-M', 'prepared', '-c', String(CONCURRENCY), '-T', String(seconds), ...scripts];
    const { stdout } = await promisify(execFile)(program, options, { env: { ...process.env, ...libpqVariables(url) } });
    return Number(/^tps = ([\d.]+)/m.exec(stdout)[1]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** In the environment, so that the password stands on no command line. */
function libpqVariables(url) {
  const { username, password, pathname, searchParams } = new URL(url);
  return {
    PGHOST: searchParams.get('host'),
    PGUSER: decodeURIComponent(username),
    PGPASSWORD: decodeURIComponent(password),
    PGDATABASE: pathname.slice(1),
  };
}

const asText = (statementOf) => (target) => {
  const { text, values } = statementOf(target);
  return withValues(text, values.map(literal));
};

/** Each transaction needs ids of its own. */
function insertText(target) {
  const { whole, roleId, eventId } = insertStatements(target);
  const expressions = whole.values.map((value) => {
    if (value === roleId || value === eventId) return 'gen_random_uuid()';
    const isName = typeof value === 'string' && value.endsWith(roleId);
    return isName ? `'Role ' || gen_random_uuid()` : literal(value);
  });
  return withValues(whole.text, expressions);
}

const withValues = (text, expressions) => text.replaceAll(/\$(\d+)/g, (_, number) => expressions[number - 1]);

function literal(value) {
  if (value instanceof Date) return escapeLiteral(value.toISOString());
  return escapeLiteral(typeof value === 'object' ? JSON.stringify(value) : String(value));
}
