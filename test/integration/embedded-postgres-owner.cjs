// A process that owns an embedded PostgreSQL until it is killed: node embedded-postgres-owner.cjs <dataDir> [<binDir>]
// It prints one line once the server runs.
const { readFileSync } = require('node:fs');
const path = require('node:path');
const { transformSync } = require('@swc/core');

const options = JSON.parse(readFileSync(path.join(__dirname, '..', '..', '.swcrc'), 'utf8'));
// Node 20 has nothing newer that is synchronous.
// oxlint-disable-next-line typescript/no-deprecated -- module.registerHooks() came with Node 22.15
require.extensions['.ts'] = (module, filename) => {
  const { code } = transformSync(readFileSync(filename, 'utf8'), { ...options, swcrc: false, filename });
  module._compile(code, filename);
};
const { startEmbeddedPostgres } = require('../../src/database/embedded-postgres.ts');

const [dataDir, binDir] = process.argv.slice(2);
startEmbeddedPostgres({ dataDir, binDir }).then(
  () => process.stdout.write('running\n'),
  (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  },
);
