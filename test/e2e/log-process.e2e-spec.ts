import { spawnSync } from 'node:child_process';
import { buildProject, copyProject, type ProjectCopy } from '../support/built-project';
import { ServerProcess } from '../support/server-process';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

const REQUESTS = 300;
const LINES = 5_000;
/** The lines of src/welcome.ts. */
const WELCOME = /^(?:Tenantry is up\.|Sign in:| {2}(?:API|Data|Admin) | {2}curl | {4}-d )/;

let project: ProjectCopy;
let dataDir: string;
let server: ServerProcess | undefined;

beforeAll(() => {
  project = copyProject();
  buildProject(project);
  dataDir = makeTestDirectory();
});
afterEach(async () => {
  server?.kill('SIGTERM');
  await server?.ended;
});
afterAll(() => {
  if (dataDir) removeTestDirectory(dataDir);
  project?.remove();
});

/** What a process of production writes that logs LINES lines and then comes to this end. */
function logAnd(end: string): { status: number | null; texts: string[]; stderr: string } {
  const program = `
    const { Logger } = require('@nestjs/common');
    const { AppLogger } = require('./dist/http/app-logger');
    Logger.overrideLogger(new AppLogger({ NODE_ENV: 'production', LOG_LEVEL: 'log' }));
    setTimeout(() => {
      for (let line = 0; line < ${LINES}; line += 1) new Logger('Last words').log('line ' + line);
      ${end}
    });`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', program], {
    cwd: project.directory,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  const texts = stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { msg: string }).msg);
  return { status, texts, stderr };
}

const ALL_LINES = Array.from({ length: LINES }, (_, line) => `line ${line}`);

it.each([
  ['ends by itself', '', 0],
  ['exits', 'process.exit(3);', 3],
  ['crashes', "throw new Error('the crash');", 1],
  ['has a rejection that nobody handles', "void Promise.reject(new Error('the crash'));", 1],
])('loses no line when the process %s, in their order', (_how, end, expected) => {
  const { status, texts, stderr } = logAnd(end);
  expect(status).toBe(expected);
  expect(texts).toEqual(ALL_LINES);
  expect(stderr.includes('the crash')).toBe(expected === 1);
});

it('loses no line of a request at SIGTERM, and each line but the welcome is JSON', async () => {
  server = new ServerProcess(project.directory, {
    NODE_ENV: 'production',
    DATA_DIR: dataDir,
    SHUTDOWN_DELAY_MS: '0',
  });
  const url = await server.ready();
  const answers = Array.from({ length: REQUESTS }, () => fetch(`${url}/v1/auth/me`));
  await Promise.all(answers.map(async (answer) => (await answer).arrayBuffer()));
  server.kill('SIGTERM');
  expect((await server.ended).code).toBe(0);
  const lines = server.output.split('\n').filter(Boolean);
  const [json, words] = [lines.filter((line) => line.startsWith('{')), lines.filter((line) => !line.startsWith('{'))];
  expect(words.filter((line) => !WELCOME.test(line))).toEqual([]);
  const messages = json.map((line) => (JSON.parse(line) as { msg: string }).msg);
  expect(messages.filter((text) => text === 'GET /v1/auth/me 401')).toHaveLength(REQUESTS);
});
