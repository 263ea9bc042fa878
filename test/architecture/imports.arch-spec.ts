import { copyFile } from 'node:fs/promises';
import path from 'node:path';
import { plantTree, removeTree, ROOT, runTool } from '../support/source-tree';

interface Cruise {
  summary: { violations: { rule: { name: string }; from: string }[] };
}

const CONFIG = '.dependency-cruiser.cjs';

/** Files that each break one rule: path → [the rule, the source]. */
const PLANTED: Record<string, [rule: string, source: string]> = {
  'src/common/a.ts': ['order-common', `import '../config/b';`],
  'src/config/b.ts': ['order-config', `import type { C } from '../database/c'; export type B = C;`],
  'src/database/c.ts': ['order-database', `import type { D } from '../access/d'; export interface C { d: D }`],
  'src/access/d.ts': ['order-access', `export { E as D } from '../http/e';`],
  'src/http/e.ts': ['order-http', `import '../audit/f'; export class E {}`],
  'src/audit/f.ts': ['order-audit', `export const f = (): unknown => import('../credentials/f2');`],
  'src/credentials/f2.ts': ['order-credentials', `import '../roles/g';`],
  'src/roles/g.ts': ['order-roles', `import '../users/h';`],
  'src/users/h.ts': ['order-users', `import '../tenants/i';`],
  'src/tenants/i.ts': ['order-tenants', `import '../auth/j';`],
  'src/auth/j.ts': ['order-auth', `import '../backups/k';`],
  'src/backups/k.ts': ['order-backups', `import '../monitoring/l';`],
  'src/monitoring/l.ts': ['order-monitoring', `import '../health/m';`],
  'src/health/m.ts': ['order-health', `import '../tracing/n';`],
  'src/tracing/n.ts': ['order-tracing', `import '../app.module';`],
  'src/app.module.ts': ['order-app.module', `import './openapi';`],
  'src/openapi.ts': ['order-openapi', `import './create-app';`],
  'src/create-app.ts': ['order-create-app', `import './serve';`],
  'src/serve.ts': ['order-serve', `import './workers/p';`],
  'src/workers/p.ts': ['order-workers', `import '../welcome';`],
  'src/welcome.ts': ['order-welcome', `import './main';`],
  'src/main.ts': ['order-main', `import './cli/n';`],
  'src/cli/n.ts': ['order-unknown-folder-imported', `import '../billing/o';`],
  'src/billing/o.ts': ['order-unknown-folder', `import '../common/clock';`],

  'src/roles/pool.ts': ['postgres-only-in-database', `import type { Pool } from 'pg'; export type P = Pool;`],
  'src/roles/adapter.ts': ['postgres-only-in-database', `import '@prisma/adapter-pg';`],
  'src/roles/roles.service.ts': [
    'prisma-stops-at-the-repository',
    `import type { Role } from '@prisma/client'; export type R = Role;`,
  ],
  'src/access/ability.ts': [
    'prisma-in-access-as-types-only',
    `import { Prisma } from '@prisma/client'; export default Prisma;`,
  ],
  'src/users/users.service.ts': [
    'fastify-only-at-the-edge',
    `import type { FastifyRequest } from 'fastify'; export type R = FastifyRequest;`,
  ],
  'src/users/users.repository.ts': ['platform-db-for-few', `import '../database/platform-db';`],

  'src/common/x.ts': ['no-circles', `import type { Y } from './y'; export interface X { y: Y }`],
  'src/common/needs-test.ts': ['src-imports-only-src', `import '../../test/support/app';`],
  'src/common/a.spec.ts': ['spec-imports-only-support', `import '../../tools/tool.mjs';`],
  'test/e2e/one.ts': ['tests-share-only-support', `import './two';`],
  'test/e2e/uses-spec.ts': ['nobody-imports-a-spec', `import '../../src/common/b.spec';`],
  'src/common/dev.ts': ['no-dev-dependency-in-production', `import 'supertest';`],
  'src/common/lost.ts': ['declared-and-resolvable', `import './nowhere';`],
  'src/common/transitive.ts': ['no-undeclared-package', `import 'fastify-plugin';`],
};

/** Files that break nothing, each beside a rule that could be too strict. */
const ALLOWED: Record<string, string> = {
  'src/common/y.ts': `import type { X } from './x'; export interface Y { x: X }`, // its circle is reported once
  'src/common/clock.ts': `export class Clock {}`,
  'src/common/b.spec.ts': `import '../../test/support/app'; import 'supertest';`,
  'src/database/platform-db.ts': `import 'pg'; import '@prisma/adapter-pg'; import '@prisma/client';`,
  'src/access/actor.ts': `import type { User } from '@prisma/client'; export type A = User;`,
  'src/access/access.guard.ts': `import type { FastifyRequest } from 'fastify'; export type R = FastifyRequest;`,
  'src/http/idempotency.interceptor.ts': `import '../database/platform-db'; import '@nestjs/platform-fastify';`,
  'src/roles/roles.repository.ts': `import { Prisma } from '@prisma/client'; import '../common/clock'; export default Prisma;`,
  'src/tenants/tenants.service.ts': `import '../database/platform-db'; import '../roles/roles.repository';`,
  'test/e2e/two.ts': `import '../support/app'; import 'pg';`,
  'test/support/app.ts': `import './tenant';`,
  'test/support/tenant.ts': `import '../../src/common/clock';`,
  'tools/tool.mjs': `import 'node:fs';`,
};

async function cruise(root: string): Promise<Cruise['summary']['violations']> {
  const run = await runTool(
    'node_modules/dependency-cruiser/bin/dependency-cruise.mjs',
    ['.', '--config', CONFIG, '--output-type', 'json'],
    root,
  );
  return (JSON.parse(run.stdout) as Cruise).summary.violations;
}

describe('the order of imports', () => {
  it('is kept by the checkout', async () => {
    expect(await cruise(ROOT)).toEqual([]);
  });

  it('has rules that each refuse what they are for, and nothing else', async () => {
    const sources = Object.entries(PLANTED).map(([file, [, source]]) => [file, source]);
    const root = await plantTree({ ...Object.fromEntries(sources), ...ALLOWED });
    try {
      for (const file of [CONFIG, 'package.json', 'tsconfig.json']) {
        await copyFile(path.join(ROOT, file), path.join(root, file));
      }
      const found = (await cruise(root)).map(({ from, rule }) => `${from}: ${rule.name}`);
      const planted = Object.entries(PLANTED).map(([file, [rule]]) => `${file}: ${rule}`);
      expect(new Set(found)).toEqual(new Set(planted));
    } finally {
      await removeTree(root);
    }
  });

  it('has no rule without a planted violation', async () => {
    const { forbidden } = (await import(path.join(ROOT, CONFIG))) as { forbidden: { name: string }[] };
    const shown = new Set(Object.values(PLANTED).map(([rule]) => rule));
    expect(forbidden.map(({ name }) => name).filter((name) => !shown.has(name))).toEqual([]);
  });
});
