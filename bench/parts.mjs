import { compareFixedRate, measureFixedRate, summarizeFixedRate } from './fixed-rate.mjs';
import { compareRoundTrips, countRoundTripsOfAll } from './round-trips.mjs';
import { runBeneathHttp } from './servers.mjs';
import { compareSignInFlood, measureSignInFlood, summarizeSignInFlood } from './sign-in-flood.mjs';
import { compareThroughput, measureThroughput, summarizeThroughput } from './throughput.mjs';

/**
 * @typedef {object} Part
 * @property {(options: object, setup: import('./setup.mjs').Setup, samples: object[]) => Promise<void>} measure
 *   puts what it finds into `samples` one by one: what was found before something fails is reported, too
 * @property {(samples: object[]) => object} summarize for the report
 * @property {(samples: object[]) => import('./aims.mjs').Comparison[]} compare for the aims
 */

/** Needs no candidate that listens; it is measured in a process of its own. @returns {Part} */
const beneathHttp = (name) => ({
  async measure(_options, setup, samples) {
    await setup.stopServing(); // their connections would be in the way
    samples.push(await runBeneathHttp(name, setup));
  },
  summarize: ([{ figures }]) => figures,
  compare: ([{ comparisons }]) => comparisons,
});

/** In the order in which they run. @type {Record<string, Part>} */
export const PARTS = {
  'round-trips': { measure: countRoundTripsOfAll, summarize: (counts) => counts, compare: compareRoundTrips },
  throughput: { measure: measureThroughput, summarize: summarizeThroughput, compare: compareThroughput },
  'fixed-rate': { measure: measureFixedRate, summarize: summarizeFixedRate, compare: compareFixedRate },
  'sign-in-flood': { measure: measureSignInFlood, summarize: summarizeSignInFlood, compare: compareSignInFlood },
  pool: beneathHttp('pool'),
  duplicates: beneathHttp('duplicates'),
  'row-security': beneathHttp('row-security'),
  'large-lists': beneathHttp('large-lists'),
};
