import { copyFile, readFile } from 'node:fs/promises';
import path from 'node:path';
import { plantTree, removeTree, ROOT, runTool } from '../support/source-tree';

const SCRIPT = 'tools/check-structure.mjs';
const long = (lines: number): string => 'export {};\n'.repeat(lines);

/** Files that each break one rule: path → [the rule, the source]. */
const PLANTED: Record<string, [rule: string, source: string]> = {
  'src/common/utils.ts': ['file-name', ''],
  'src/common/string.helper.ts': ['file-name', ''],
  'src/roles/index.ts': ['file-name', `export * from './role.dto';`],
  'src/common/base.service.ts': ['file-name', ''],
  'test/support/helpers.ts': ['file-name', ''],
  'src/roles/long.ts': ['file-length', long(401)],
  'test/e2e/long.e2e-spec.ts': ['file-length', long(701)],
  'src/orders/orders.controller.ts': ['controller-siblings', ''], // no module
  'src/roles/role-members.controller.ts': [
    'controller-siblings',
    `export class C { constructor(readonly x: string) {} }`,
  ],
  'src/roles/circle.ts': [
    'forward-ref',
    `import { forwardRef } from '@nestjs/common'; export const r = forwardRef(() => 1);`,
  ],
  'src/roles/env-member.ts': ['process-env', `export const url = process.env.POSTGRES_URL;`],
  'src/roles/env-element.ts': ['process-env', `export const env = process['env'];`],
  'src/roles/env-binding.ts': ['process-env', `export const { env } = process;`],
  'src/roles/env-global.ts': ['process-env', `export const env = globalThis.process.env;`],
  'src/roles/env-import.ts': ['process-env', `import { env } from 'node:process'; export default env;`],
  'src/roles/ignore.ts': ['suppression-reason', `// @ts-ignore because I say so, at length\nexport {};`],
  'src/roles/expect.ts': ['suppression-reason', `// @ts-expect-error\nexport {};`],
  'src/roles/disable.ts': ['suppression-reason', `/* oxlint-disable no-console */\nexport {};`],
  'prisma/migrations/20261123_create/migration.sql': ['migration-name', ''],
  'prisma/migrations/20261123090000_create_tables/readme.md': ['migration-name', ''],
};

/** Files that break nothing, each beside a rule that could be too strict. */
const ALLOWED: Record<string, string> = {
  'src/common/clock.ts': `// process.env and forwardRef in a comment\nexport const text = '// @ts-expect-error';`,
  'src/config/env.ts': `export const env = process.env;`,
  'src/roles/roles.controller.ts': `export const uptime = process.uptime();`,
  'src/roles/platform-roles.controller.ts': `export class C { constructor(readonly x: string) {} }`,
  'src/roles/permissions.controller.ts': `export class C {}`,
  'src/roles/roles.service.ts': `// oxlint-disable-next-line no-console -- a reason that says something\nexport {};`,
  'src/roles/roles.module.ts': `// @ts-expect-error the declared type of the package is wrong\nexport {};`,
  'src/roles/roles.service.spec.ts': long(700),
  'src/roles/role.repository.ts': long(400),
  'test/support/app.ts': `process.env.TZ = 'UTC';`,
  'prisma/migrations/20261123090100_add_tenant_index2/migration.sql': '',
};

/** Runs check-structure and gives its findings as `path: rule`. */
async function findings(root: string): Promise<{ exitCode: number; found: string[] }> {
  const { exitCode, stderr } = await runTool(SCRIPT, [root], ROOT);
  const lines = stderr.split('\n').filter(Boolean);
  return { exitCode, found: lines.map((line) => line.split(': ').slice(0, 2).join(': ')) };
}

describe('the structure of files', () => {
  it('is kept by the checkout', async () => {
    expect(await findings(ROOT)).toEqual({ exitCode: 0, found: [] });
  });

  it('has rules that each refuse what they are for, and nothing else', async () => {
    const root = await plantTree({
      ...Object.fromEntries(Object.entries(PLANTED).map(([file, [, source]]) => [file, source])),
      ...ALLOWED,
    });
    try {
      const planted = Object.entries(PLANTED).map(([file, [rule]]) =>
        rule === 'migration-name' ? `${path.posix.dirname(file)}: ${rule}` : `${file}: ${rule}`,
      );
      const { exitCode, found } = await findings(root);
      expect(new Set(found)).toEqual(new Set(planted));
      expect(exitCode).toBe(1);
    } finally {
      await removeTree(root);
    }
  });

  it('has no rule without a planted violation', async () => {
    const source = await readFile(path.join(ROOT, SCRIPT), 'utf8');
    const rules = [...source.matchAll(/^ {2}\*'([a-z-]+)'\(/gm)].map(([, rule]) => rule);
    const shown = Object.values(PLANTED).map(([rule]) => rule);
    expect(rules.length).toBeGreaterThan(0);
    expect(rules.filter((rule) => !shown.includes(rule!))).toEqual([]);
  });
});

/** Source that oxlint must refuse: path → [the rule, the source]. */
const LINTED: Record<string, [rule: string, source: string]> = {
  'src/roles/any.ts': ['no-explicit-any', `export const f = (x: any): unknown => x;`],
  'src/roles/floating.ts': ['no-floating-promises', `export function f(): void { Promise.resolve(1); }`],
  'src/roles/misused.ts': [
    'no-misused-promises',
    `export const f = (xs: number[]): void => xs.forEach(async (x) => { await Promise.resolve(x); });`,
  ],
  'src/roles/one.ts': ['no-cycle', `import type { Two } from './two'; export interface One { two: Two }`],
  'src/roles/two.ts': ['no-cycle', `import type { One } from './one'; export interface Two { one: One }`],
  'src/roles/console.ts': ['no-console', `console.log('here');`],
  'src/roles/unused.ts': ['no-unused-vars', `const unused = 1; export {};`],
  'src/roles/ignored.ts': ['ban-ts-comment', `// @ts-ignore because I say so, at length\nexport {};`],
  'src/roles/environment.ts': ['no-process-env', `export const url = process.env.POSTGRES_URL;`],
  'src/roles/barrel.ts': ['no-barrel-file', `export * from './allowed';`],
  'src/roles/long.ts': ['max-lines', 'export {};\n'.repeat(301)],
  'src/roles/focused.spec.ts': ['no-focused-tests', `it.only('is alone', () => { expect(1).toBe(1); });`],
  'src/roles/disabled.spec.ts': ['no-disabled-tests', `it.skip('is off', () => { expect(1).toBe(1); });`],
  'src/roles/empty.spec.ts': ['expect-expect', `it('asserts nothing', () => { Math.abs(1); });`],
};

/** Source that oxlint must let pass: path → source. */
const LINT_ALLOWED: Record<string, string> = {
  'src/roles/allowed.ts': `export class RolesModule {}`,
  'src/main.ts': `console.log('listening');`,
  'src/config/env.ts': `export const port = process.env.PORT;`,
  'test/e2e/allowed.e2e-spec.ts': `declare const admin: { get(path: string): { expectProblem(status: number): Promise<void> } };
    it('refuses', async () => { await admin.get('/v1').expectProblem(403); });`,
};

describe('the linter', () => {
  it('refuses what it is configured for, and nothing else', async () => {
    const root = await plantTree({
      ...Object.fromEntries(Object.entries(LINTED).map(([file, [, source]]) => [file, source])),
      ...LINT_ALLOWED,
    });
    try {
      for (const file of ['.oxlintrc.json', 'tsconfig.json'])
        await copyFile(path.join(ROOT, file), path.join(root, file));
      const run = await runTool(
        'node_modules/oxlint/bin/oxlint',
        ['--type-aware', '--deny-warnings', '--format=json', 'src', 'test'],
        root,
      );
      const { diagnostics } = JSON.parse(run.stdout) as { diagnostics: { code: string; filename: string }[] };
      const found = diagnostics.map(({ code, filename }) => `${filename}: ${/\(([^)]+)\)/.exec(code)?.[1]}`);
      expect(new Set(found)).toEqual(new Set(Object.entries(LINTED).map(([file, [rule]]) => `${file}: ${rule}`)));
      expect(run.exitCode).toBe(1);
    } finally {
      await removeTree(root);
    }
  });
});
