const { readFileSync } = require('node:fs');
const path = require('node:path');

// The compiler options stand in .swcrc alone; the build and the tests read them there.
const swcOptions = JSON.parse(readFileSync(path.join(__dirname, '.swcrc'), 'utf8'));

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/src', '<rootDir>/test'],
  testRegex: '\\.(spec|int-spec|e2e-spec|arch-spec|chaos-spec|recovery-spec)\\.ts$',
  moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json', 'node'],
  transform: {
    '/node_modules/.+\\.m?js$': '<rootDir>/test/esm-to-cjs.cjs',
    '^.+\\.ts$': ['@swc/jest', { ...swcOptions, swcrc: false, sourceMaps: 'inline' }],
  },
  // Large, and CommonJS throughout: not worth a look.
  transformIgnorePatterns: ['/node_modules/(@prisma|\\.prisma|@swc|typescript)/'],
  testSequencer: '<rootDir>/test/slowest-first.cjs',
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
  testTimeout: 60_000, // milliseconds: an e2e spec starts a whole application, beside others, on two cores
  maxWorkers: 2, // each worker holds pools of connections; more of them gain nothing on a CI machine
};
