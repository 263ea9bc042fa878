/**
 * The one line of order of docs/architecture.md. A name is a folder of src/ or a file beside them; it may import itself
 * and what stands before it, type imports included. A new folder is added here, once, where it belongs.
 */
const ORDER = [
  'common',
  'config',
  'database',
  'access',
  'http',
  'audit',
  'credentials',
  'roles',
  'users',
  'tenants',
  'auth',
  'backups',
  'monitoring',
  'health',
  'tracing',
  'app.module',
  'openapi',
  'create-app',
  'serve',
  'workers',
  'welcome',
  'main',
  'cli',
];

/** A pattern for all files of the named folders (`roles/…`) or root files (`main.ts`, `main.spec.ts`) of src/. */
const inSrc = (names) => `^src/(${names.join('|').replaceAll('.', '\\.')})(/|\\.(spec\\.)?ts$)`;

/** A pattern for the named npm packages, however they are resolved. */
const packages = (names) => `(^|node_modules/)(${names.join('|')})(/|$)`;

const orderRules = ORDER.slice(0, -1).map((name, place) => ({
  name: `order-${name}`,
  comment: `src/${name} imports only itself and what stands before it: ${ORDER.slice(0, place).join(' < ') || 'nothing'}.`,
  severity: 'error',
  from: { path: inSrc([name]) },
  to: { path: inSrc(ORDER.slice(place + 1)) },
}));

const orderIsComplete = [
  {
    name: 'order-unknown-folder',
    comment: 'A folder of src/ is missing from ORDER in .dependency-cruiser.cjs.',
    severity: 'error',
    from: { path: '^src/', pathNot: inSrc(ORDER) },
    to: {},
  },
  {
    name: 'order-unknown-folder-imported',
    comment: 'A folder of src/ is missing from ORDER in .dependency-cruiser.cjs.',
    severity: 'error',
    from: {},
    to: { path: '^src/', pathNot: inSrc(ORDER) },
  },
];

const doors = [
  {
    name: 'postgres-only-in-database',
    comment: 'One door to PostgreSQL: TenantDb and PlatformDb. Nothing else makes a pool, an adapter or a client.',
    severity: 'error',
    from: { path: '^src/', pathNot: '^src/database/' },
    to: { path: packages(['pg', '@prisma/adapter-pg', 'nestjs-prisma']) },
  },
  {
    name: 'prisma-stops-at-the-repository',
    comment: 'Above a repository there are rows and DTOs, no Prisma. (A repository uses its types, and Prisma.sql.)',
    severity: 'error',
    from: { path: '^src/', pathNot: ['^src/(database|access)/', '\\.repository\\.ts$'] },
    to: { path: packages(['@prisma/client', '\\.prisma/client']) },
  },
  {
    name: 'prisma-in-access-as-types-only',
    comment: 'access/ describes rules over Prisma types; it asks no question of the database.',
    severity: 'error',
    from: { path: '^src/access/', pathNot: '\\.repository\\.ts$' },
    to: { path: packages(['@prisma/client', '\\.prisma/client']), dependencyTypesNot: ['type-only'] },
  },
  {
    name: 'fastify-only-at-the-edge',
    comment:
      'What knows HTTP: http/, tracing/, controllers, guards, modules and the start. Services and repositories do not.',
    severity: 'error',
    from: {
      path: '^src/',
      pathNot: ['^src/(http|tracing)/', '^src/[^/]+\\.ts$', '\\.(controller|guard|module)\\.ts$'],
    },
    to: { path: packages(['@nestjs/platform-fastify', 'fastify', '@fastify/[^/]+']) },
  },
  {
    name: 'platform-db-for-few',
    comment: 'PlatformDb stands above tenants. Each folder that may use it is named here and defended in a review.',
    severity: 'error',
    from: {
      path: '^src/',
      pathNot: '^src/((database|access|audit|credentials|tenants|auth|backups|monitoring|health)/|http/idempotency)',
    },
    to: { path: '^src/database/platform-db\\.ts$' },
  },
];

const hygiene = [
  {
    name: 'no-circles',
    comment: 'Under swc a circle of providers is "Cannot access A before initialization"; to a reader it is worse.',
    severity: 'error',
    from: {},
    to: { circular: true },
  },
  {
    name: 'src-imports-only-src',
    comment: 'The program does not need its tests, tools or benchmark. A spec may use the factories of test/support.',
    severity: 'error',
    from: { path: '^src/', pathNot: '\\.spec\\.ts$' },
    to: { path: '^(test|tools|bench|prisma)/' },
  },
  {
    name: 'spec-imports-only-support',
    comment: 'Unit specs share test/support and nothing else outside src/.',
    severity: 'error',
    from: { path: '^src/.+\\.spec\\.ts$' },
    to: { path: '^(test|tools|bench|prisma)/', pathNot: '^test/support/' },
  },
  {
    name: 'tests-share-only-support',
    comment: 'A test stands alone; what several need is a factory or a driver in test/support.',
    severity: 'error',
    from: { path: '^test/' },
    to: { path: '^test/', pathNot: '^test/support/' },
  },
  {
    name: 'nobody-imports-a-spec',
    comment: 'Importing a spec runs its tests a second time.',
    severity: 'error',
    from: {},
    to: { path: '\\.(spec|int-spec|e2e-spec|arch-spec)\\.ts$' },
  },
  {
    name: 'no-dev-dependency-in-production',
    comment: 'The image is installed with --omit=dev; this import would fail there.',
    severity: 'error',
    from: { path: '^src/', pathNot: '\\.spec\\.ts$' },
    to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm', 'type-only'], pathNot: 'node_modules/@types/' },
  },
  {
    name: 'declared-and-resolvable',
    comment: 'Each import must resolve, and each package must stand in package.json.',
    severity: 'error',
    from: {},
    to: { couldNotResolve: true },
  },
  {
    name: 'no-undeclared-package',
    comment:
      "A transitive dependency is somebody else's to remove: declare what is imported. (Types vanish in the build.)",
    severity: 'error',
    from: {},
    to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
  },
];

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [...orderRules, ...orderIsComplete, ...doors, ...hygiene],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|coverage|\\.data)/' },
    tsPreCompilationDeps: true, // sees `import type` too
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['require', 'node', 'default', 'types'],
      extensions: ['.ts', '.d.ts', '.js', '.cjs', '.mjs', '.json'],
    },
  },
};
