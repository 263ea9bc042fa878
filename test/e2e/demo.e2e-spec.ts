import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { createTestApp, newPassword, type TestApp } from '../support/app';
import { read } from '../support/documents/generated';
import { ROOT } from '../support/source-tree';

const run = promisify(execFile);

const ADMINISTRATOR = { email: 'demo.administrator@tenantry.test', password: newPassword() };
const MARK = '----- step';
const hasCurl = spawnSync('curl', ['--version']).status === 0;
/** The walk cannot be tried without curl. Said aloud where somebody works; in CI it must be there. */
const withCurl = hasCurl || process.env.CI ? it : it.skip;
if (!hasCurl) process.stderr.write('curl is missing: the walk of docs/walk.md is not tried.\n');

interface Step {
  commands: string;
  /** What docs/walk.md says that it prints; undefined when it says nothing. */
  answer: string | undefined;
}

describe('npm run demo', () => {
  let app: TestApp;
  let firstRun: string;

  beforeAll(async () => {
    app = await createTestApp({
      BOOTSTRAP_ADMIN_EMAIL: ADMINISTRATOR.email,
      BOOTSTRAP_ADMIN_PASSWORD: ADMINISTRATOR.password,
    });
    firstRun = await demo(app);
  });
  afterAll(() => app.close());

  it('makes three tenants with 200 users, their roles, ends of roles and suspensions', async () => {
    const counted = await app.database.query(
      'admin',
      `SELECT count(*)::int AS users, count(DISTINCT m.user_id)::int AS people, count(DISTINCT m.tenant_id)::int AS tenants,
         count(*) FILTER (WHERE m.status = 'suspended')::int AS suspended,
         (SELECT count(*)::int FROM app.roles WHERE system_key IS NULL) AS "customRoles",
         (SELECT count(*)::int FROM app.membership_roles WHERE expires_at > now() + interval '80 days') AS expiring,
         (SELECT count(*)::int FROM app.role_permissions WHERE inverted) AS prohibitions,
         (SELECT count(*)::int FROM app.role_permissions WHERE conditions IS NOT NULL AND fields <> '{}') AS narrowed
       FROM app.memberships m`,
    );
    expect(counted).toEqual([
      { users: 200, people: 197, tenants: 3, suspended: 2, customRoles: 6, expiring: 6, prohibitions: 2, narrowed: 3 },
    ]);
    expect(firstRun).toContain('Harborline Logistics: 90 users, ready');
  });

  withCurl('prints a walk of which every command answers as docs/walk.md says, twice over', async () => {
    const steps = stepsOf(read('docs/walk.md'));
    expect(steps.filter(({ answer }) => answer).length).toBeGreaterThan(15);
    for (const { commands } of steps) expect(firstRun).toContain(at(app, commands));
    for (const round of ['first', 'second']) {
      const printed = await walk(app, steps);
      for (const [index, { commands, answer }] of steps.entries()) {
        const matches = answer === undefined ? printed[index] === '' : patternOf(answer).test(compact(printed[index]!));
        expect({ round, commands, printed: matches ? answer : printed[index] }).toEqual({
          round,
          commands,
          printed: answer,
        });
      }
    }
  });

  it('recognizes its own data when it is run again, and mends what is missing', async () => {
    const again = await demo(app);
    expect(again).toContain('nothing changed');
    expect(again).toContain('# No stale rights');
    await app.database.query('admin', `DELETE FROM app.membership_roles WHERE expires_at IS NOT NULL`);
    expect(await demo(app)).toContain('Done: 6 changes.');
    expect(await demo(app)).toContain('nothing changed');
  });

  it.each([
    ['a wrong password', { DEMO_ADMIN_PASSWORD: 'not the right one' }, 'e-mail address or password is wrong'],
    ['no password', { DEMO_ADMIN_PASSWORD: '' }, 'Set DEMO_ADMIN_PASSWORD'],
    ['a server of others', { BASE_URL: 'https://tenantry.example' }, 'Set DEMO_PASSWORD'],
    ['nothing that listens', { BASE_URL: 'http://127.255.255.254:3917' }, 'npm start'],
  ])('says what to do about %s', async (_, env, words) => {
    await expect(demo(app, env)).rejects.toMatchObject({
      code: 1,
      stdout: expect.not.stringContaining('#') as string,
      stderr: expect.stringContaining(words) as string,
    });
  });
});

async function demo(app: TestApp, env: Record<string, string> = {}): Promise<string> {
  const { stdout } = await run(process.execPath, ['tools/demo.mjs'], {
    cwd: ROOT,
    env: {
      PATH: process.env.PATH,
      BASE_URL: app.target.url,
      DEMO_ADMIN_EMAIL: ADMINISTRATOR.email,
      DEMO_ADMIN_PASSWORD: ADMINISTRATOR.password,
      // Set, so that a developer's .env does not set them.
      BOOTSTRAP_ADMIN_PASSWORD: '',
      DEMO_PASSWORD: '',
      ...env,
    },
  });
  return stdout;
}

/** Runs all steps in one shell, as somebody does who pastes them. @returns what each has printed */
async function walk(app: TestApp, steps: Step[]): Promise<string[]> {
  const script = steps.map(({ commands }) => `echo '${MARK}'\n${at(app, commands)}`).join('\n');
  const { stdout } = await run('bash', ['-u', '-c', `${script}\n:`]);
  return stdout.split(`${MARK}\n`).slice(1);
}

function at(app: TestApp, commands: string): string {
  return commands.replace(/^BASE=.*$/m, `BASE=${app.target.url}`);
}

/** Each block of commands with the block of its answer, if one follows. */
function stepsOf(markdown: string): Step[] {
  return [...markdown.matchAll(/^```sh\n(.*?)\n```\n(?:\n```text\n(.*?)\n```\n)?/gms)].map(([, commands, answer]) => ({
    commands: commands!,
    answer,
  }));
}

/** `…` stands for anything; how the lines are broken does not matter. */
function patternOf(answer: string): RegExp {
  const parts = compact(answer).split('…');
  return new RegExp(`^${parts.map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)).join('.*?')}$`);
}

const compact = (text: string): string => text.replaceAll(/\s+/g, '');
