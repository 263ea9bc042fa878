import { TITLES } from './candidates.mjs';
import { CASES } from './cases.mjs';

/** What is compared, in words, by part. */
const WHATS = {
  'round-trips': ({ case: name }) => `${titleOf(name)}: round trips to PostgreSQL`,
  throughput: ({ case: name, to }) => `${titleOf(name)}: requests per second, of those of ${TITLES[to]}`,
  'fixed-rate': ({ case: name, to }) => `${titleOf(name)}: p99 at a fixed rate, of that of ${TITLES[to]}`,
  'sign-in-flood': ({ case: name }) => `${titleOf(name)}: p99 during a flood of sign-ins, of that without it`,
  pool: ({ case: name }) =>
    `the pool alone, ${POOL_TITLES[name]}: per second, of those of raw pg without row-level security`,
  duplicates: ({ case: name }) =>
    name === 'connections'
      ? 'a storm of duplicate e-mails: connections opened'
      : "a storm of duplicate e-mails: per second, of those of Prisma's stock adapter",
  'row-security': ({ case: name }) => `row-level security, ${POOL_TITLES[name]}: server CPU, of that without policies`,
  'large-lists': ({ case: name }) => `in a tenant of 200,000, ${name}: server CPU, of that without policies`,
};

/** Of the operations beneath HTTP. */
export const POOL_TITLES = {
  get: 'a user with roles',
  list: 'list 20 users',
  insert: 'a row with its audit event',
};

export const titleOf = (name) => CASES.find((one) => one.name === name).title;

/** @param {import('./aims.mjs').Outcome} outcome */
export const whatOf = (outcome) => WHATS[outcome.part](outcome);

/** @param {import('./aims.mjs').Outcome} outcome */
export const aimOf = ({ atLeast, atMost }) => (atLeast === undefined ? `≤ ${atMost}` : `≥ ${atLeast}`);

/** A count, and one round alone, has no noise. @param {import('./aims.mjs').Outcome} outcome */
export const measuredOf = ({ ratio, noise }) =>
  noise > 0 ? `${significant(ratio)} ± ${Number(noise.toPrecision(1))}` : significant(ratio);

/** With the digits that mean something. */
export const significant = (value) => String(value >= 100 ? Math.round(value) : Number(value.toPrecision(3)));

/** One line for each aim. @param {import('./aims.mjs').Outcome[]} aims */
export const aimLines = (aims) =>
  aims.map((one) => `${whatOf(one)}: ${measuredOf(one)}, aim ${aimOf(one)}: ${one.outcome}`);
