// A database that grows to given sizes, and the plain tools that backups and restores are compared with.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';

const ROWS_AT_A_TIME = 100_000;

/** Fills a table with rows as applications have them (half of their bytes are random) until the database has that size. */
export async function growTo(client, bytes) {
  await client.query('CREATE TABLE IF NOT EXISTS public.filling (id bigint, token text, note text)');
  for (;;) {
    const { rows } = await client.query('SELECT sum(pg_database_size(oid))::bigint AS size FROM pg_database');
    if (Number(rows[0].size) >= bytes) break;
    await client.query(
      `INSERT INTO public.filling SELECT i, md5(random()::text) || md5(random()::text), 'order ' || i || ' of customer ' || i % 1000 || ', paid'
       FROM generate_series(1, $1) i`,
      [ROWS_AT_A_TIME],
    );
  }
  await client.query('VACUUM FREEZE public.filling'); // hint bits would be written in the middle of a measurement
  await client.query('CHECKPOINT');
}

/** Writes about so many bytes of log. */
export async function writeLog(client, bytes) {
  const message =
    "SELECT pg_logical_emit_message(true, 'bench', string_agg(md5(random()::text), '')) FROM generate_series(1, 32768)";
  for (let written = 0; written < bytes; written += 2 ** 20) await client.query(message);
}

/** Runs a line of bash. @returns seconds */
export async function timed(line) {
  const startedAt = performance.now();
  const child = spawn('bash', ['-o', 'pipefail', '-c', line], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = await once(child, 'exit');
  // 1 of tar: a file has changed meanwhile, as those of a running server may.
  if (code !== 0 && code !== 1) throw new Error(`${line} ended with ${code}.`);
  return (performance.now() - startedAt) / 1000;
}

/** What plain tools need for the same directory; each until it is on the disk, as our files are. */
export const PLAIN_TOOLS = {
  tar: {
    backup: (data, file) => timed(`tar -C '${data}' -cf '${file}' --warning=none . ; sync '${file}'`),
    restore: (file, target) => extract(`tar -C '${target}' -xf '${file}'`, target),
  },
  'tar | gzip -1': {
    backup: (data, file) => timed(`tar -C '${data}' -cf - --warning=none . | gzip -1 > '${file}' ; sync '${file}'`),
    restore: (file, target) => extract(`gzip -dc '${file}' | tar -C '${target}' -xf -`, target),
  },
};

async function extract(line, target) {
  mkdirSync(target, { mode: 0o700 });
  const seconds = await timed(`${line} && sync -f '${target}'`);
  rmSync(target, { recursive: true });
  return seconds;
}
