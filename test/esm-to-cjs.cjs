// Nest 12 and a few other packages are ES modules. Jest 30 can require() those only on Node 24.9 and newer, and
// there only behind a flag; so tests on any Node load them as CommonJS, compiled here. CommonJS files pass untouched.
const { createHash } = require('node:crypto');
const { existsSync, readFileSync } = require('node:fs');
const path = require('node:path');
const swc = require('@swc/core');

const OPTIONS = {
  swcrc: false,
  jsc: { parser: { syntax: 'ecmascript' }, target: 'es2022', keepClassNames: true },
  module: { type: 'commonjs' },
  sourceMaps: false,
};

const fingerprint = createHash('sha1')
  .update(readFileSync(__filename))
  .update(require('@swc/core/package.json').version)
  .digest('hex');

/** @type {Map<string, boolean>} */
const esmDirectories = new Map();

/**
 * Whether the nearest package.json says `"type": "module"`, by Node's own rule.
 * @param {string} directory
 * @returns {boolean}
 */
function isEsmDirectory(directory) {
  const known = esmDirectories.get(directory);
  if (known !== undefined) return known;
  const manifest = path.join(directory, 'package.json');
  const parent = path.dirname(directory);
  const answer = existsSync(manifest)
    ? JSON.parse(readFileSync(manifest, 'utf8')).type === 'module'
    : parent !== directory && isEsmDirectory(parent);
  esmDirectories.set(directory, answer);
  return answer;
}

/** @param {string} file */
const isEsm = (file) => file.endsWith('.mjs') || (file.endsWith('.js') && isEsmDirectory(path.dirname(file)));

module.exports = {
  /** @param {string} source @param {string} file */
  getCacheKey: (source, file) =>
    createHash('sha1')
      .update(fingerprint)
      .update(isEsm(file) ? 'esm' : 'cjs')
      .update(file)
      .update(source)
      .digest('hex'),

  /** @param {string} source @param {string} file */
  process: (source, file) =>
    isEsm(file) ? swc.transformSync(source, { ...OPTIONS, filename: file }) : { code: source },
};
