import { ZxcvbnFactory } from '@zxcvbn-ts/core';
import { adjacencyGraphs, dictionary } from '@zxcvbn-ts/language-common';

/** zxcvbn's time grows with the square of the length; beyond this it looks at the beginning alone. */
const MAX_ESTIMATED_LENGTH = 64;

/** Guesses how often one would have to guess. Its dictionaries take ten megabytes: password-policy.ts loads it at the first new password. */
export const estimator = new ZxcvbnFactory({ dictionary, graphs: adjacencyGraphs, maxLength: MAX_ESTIMATED_LENGTH });
