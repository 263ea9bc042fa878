const { readFileSync } = require('node:fs');
const { default: Sequencer } = require('@jest/test-sequencer');

/** What only specs import that start servers or processes of their own, or fill a large database. */
const OF_THE_SLOW = /support\/(own-server|built-project|engine-contract|large-database|\w+-stage|replicated-pair)'/;

/**
 * Jest begins with what took longest the last time; after a fresh checkout it knows no times, and goes by the size of the
 * files. So that no worker is left alone with a slow one at the end, those come first then, too.
 */
module.exports = class SlowestFirst extends Sequencer {
  async sort(tests) {
    const sorted = await super.sort(tests);
    const slow = sorted.filter(({ path }) => OF_THE_SLOW.test(readFileSync(path, 'utf8')));
    return [...new Set([...slow, ...sorted])];
  }
};
