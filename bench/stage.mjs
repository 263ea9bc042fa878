// Where a benchmark runs: a directory of its own, and servers that go at its end, at Ctrl-C and when it fails.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { ROOT } from './program.mjs';

/** Whose versions a report tells. */
const PACKAGES = ['pg', '@prisma/client', '@nestjs/core', 'fastify', 'express', 'jose', 'better-auth', 'autocannon'];

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/**
 * Runs `main` and undoes what it started, in reverse order.
 * @param {string} usage printed when the options are wrong
 * @param {(stage: Stage) => Promise<void>} main
 */
export async function onStage(usage, main) {
  const stage = new Stage();
  // npm passes on what the terminal has sent already, so the same signal may come twice.
  for (const [signal, code] of Object.entries(EXIT_CODES))
    process.on(signal, () => void stage.cleanUp().finally(() => process.exit(code)));
  try {
    await main(stage);
  } catch (error) {
    const isUsage = error.code?.startsWith('ERR_PARSE_ARGS');
    if (!stage.isClosing) console.error(isUsage ? `${error.message}\n\n${usage}` : error); // else its servers were stopped
    process.exitCode = 1;
  }
  await stage.cleanUp();
}

class Stage {
  #undo = [];
  #closing;

  get isClosing() {
    return this.#closing !== undefined;
  }

  /** A new one; whoever runs the database must be able to pass through it, as root that is another account. */
  makeDirectory() {
    const directory = path.join(tmpdir(), `tenantry-bench-${process.pid}-${randomBytes(4).toString('hex')}`);
    mkdirSync(directory, { mode: process.getuid?.() === 0 ? 0o711 : 0o700 });
    this.#undo.push(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));
    return directory;
  }

  /** Something that is to be stopped at the end, also when the end comes while it starts. */
  async starting(name, start) {
    this.#undo.push(async () => (await start.catch(() => undefined))?.stop());
    return this.step(name, start);
  }

  /** Tells how long some work has taken. */
  async step(name, work) {
    const startedAt = performance.now();
    const result = await work;
    if (!this.isClosing) console.log(`${name}: ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
    return result;
  }

  cleanUp() {
    this.#closing ??= (async () => {
      for (const action of this.#undo.toReversed()) {
        await Promise.resolve(action()).catch((error) =>
          console.error(`Something may be left behind: ${error.message}`),
        );
      }
    })();
    return this.#closing;
  }
}

/** @param {string} postgresUrl of a server whose version is told */
export async function environmentOf(postgresUrl) {
  return {
    date: new Date().toISOString(),
    commit: commit(),
    node: process.versions.node,
    postgres: await setting(postgresUrl, 'server_version'),
    packages: Object.fromEntries(PACKAGES.map((name) => [name, packageVersion(name)])),
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? 'unknown',
    loadAverage: [loadavg()[0]],
  };
}

const packageVersion = (name) =>
  JSON.parse(readFileSync(path.join(ROOT, 'node_modules', name, 'package.json'), 'utf8')).version;

/** The first line of a report. */
export const environmentLine = ({ date, commit: of, node, postgres, cores, cpu, loadAverage }) =>
  `${date}, commit ${of}. Node ${node}, PostgreSQL ${postgres}, ${cores} cores (${cpu}), ` +
  `load average ${loadAverage.map((load) => load.toFixed(1)).join(' at the start, ')} at the end.`;

async function setting(connectionString, name) {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return (await client.query('SELECT current_setting($1) AS value', [name])).rows[0].value;
  } finally {
    await client.end();
  }
}

/** As git names it; `-dirty` when files of the program differ from it. */
function commit() {
  const git = (...args) => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim();
  try {
    const changed = git('status', '--porcelain', '--', 'src', 'prisma', 'package-lock.json');
    return git('rev-parse', '--short', 'HEAD') + (changed ? '-dirty' : '');
  } catch {
    return 'unknown';
  }
}
