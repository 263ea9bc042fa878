// bench/results/latest.md.
import { aimOf, measuredOf, POOL_TITLES, significant, titleOf, whatOf } from './aim-lines.mjs';
import { CANDIDATES, TITLES } from './candidates.mjs';
import { CASES } from './cases.mjs';
import { environmentLine } from './stage.mjs';

/** @param {import('./report.mjs').Report} report */
export function toMarkdown({ environment, options, figures, aims, failures }) {
  const sections = [
    ['# Benchmark', intro(environment, options)],
    ['## Aims', aimsSection(aims)],
    failures.length > 0 && ['## Failures', failures.map(({ part, message }) => `- ${part}: ${message}`).join('\n')],
    ...Object.entries(SECTIONS).map(
      ([part, { title, write }]) => figures[part] && [`## ${title}`, write(figures[part].summary, figures)],
    ),
    ['## What each does', whatEachDoes()],
  ];
  return `${sections.filter(Boolean).flat().join('\n\n')}\n`;
}

const SECTIONS = {
  throughput: { title: 'Requests per second', write: throughputSection },
  'fixed-rate': { title: 'At a fixed rate', write: fixedRateSection },
  'sign-in-flood': { title: 'Reads during a flood of sign-ins', write: floodSection },
  pool: { title: 'Beneath HTTP', write: poolSection },
  duplicates: { title: 'A storm of duplicate e-mails', write: duplicatesSection },
  'row-security': { title: 'What row-level security costs the server', write: rowSecuritySection },
  'large-lists': { title: 'Lists and searches in a large tenant', write: largeListsSection },
};

function intro(environment, { rounds, seconds, connections }) {
  const { packages, tenants, usersPerTenant } = environment;
  const versions = Object.entries(packages).map(([name, version]) => `${name} ${version}`);
  return [
    `${environmentLine(environment)} ${versions.join(', ')}.`,
    `${tenants} tenants with ${usersPerTenant} users each. Load generator, servers and database share the machine, so only the ratios mean ` +
      `something elsewhere: each is of one round, in which the candidates took turns, and what stands here is the median over the rounds. ` +
      `Requests per second: ${rounds} rounds of ${seconds} s over ${connections} connections.`,
  ].join('\n\n');
}

function aimsSection(aims) {
  const rows = aims.map((one) => [
    whatOf(one),
    measuredOf(one),
    aimOf(one),
    one.outcome === 'met' ? 'met' : `**${one.outcome}**`,
  ]);
  return [
    'After ± stands the noise: half of the span of the ratio over the rounds, of five rounds or more without the smallest and the largest.',
    table(['what', 'measured', 'aim', 'outcome'], '-rrl', rows),
  ].join('\n\n');
}

function throughputSection(summary, figures) {
  const counts = figures['round-trips']?.summary ?? [];
  const rows = summary.map((row) => [
    titleOf(row.case),
    nameOf(row.candidate),
    row.requestsPerSecond.toFixed(0),
    row.p50Ms.toFixed(2),
    row.p99Ms.toFixed(2),
    row.serverCpuMs.toFixed(2),
    row.databaseCpuMs.toFixed(2),
    roundTripsOf(counts.find((one) => one.case === row.case && one.candidate === row.candidate)),
    String(row.errors),
    significant(row.ratio),
  ]);
  const head = ['case', 'candidate', 'req/s', 'p50 ms', 'p99 ms', 'server CPU ms', 'database CPU ms'];
  return [
    'CPU and round trips (to PostgreSQL, of a request that comes alone; in brackets when its caller comes for the first time) are per ' +
      'request. The ratio is to the requests per second of Fastify + pg.',
    table([...head, 'round trips', 'errors', 'ratio'], '--rrrrrrrr', rows),
  ].join('\n\n');
}

function roundTripsOf(count) {
  if (!count) return '';
  const { roundTrips, ofStrangers } = count;
  return ofStrangers === roundTrips ? String(roundTrips) : `${roundTrips} (${ofStrangers})`;
}

function fixedRateSection(summary) {
  const rows = summary.flatMap((row) => [
    [
      titleOf(row.case),
      nameOf('tenantry'),
      ...times(row.tenantry),
      significant(row.p50Ratio),
      significant(row.p99Ratio),
    ],
    [titleOf(row.case), TITLES.peer, ...times(row.peer), '', ''],
  ]);
  const { perSecond, rounds } = summary[0];
  return [
    `${perSecond} requests a second, ${rounds} rounds. Each starts at its time whether or not those before it were answered, on a connection of its ` +
      'own if none is free: nothing a caller would have felt is left out (no coordinated omission), so nothing is corrected.',
    table(['case', 'candidate', 'p50 ms', 'p99 ms', 'p50 ratio', 'p99 ratio'], '--rrrr', rows),
  ].join('\n\n');
}

function floodSection({ case: name, readsPerSecond, signInsPerSecond, rounds, alone, flooded, p99Ratio }) {
  return [
    `${readsPerSecond} requests a second (${titleOf(name)}), ${rounds} rounds, each alone and beside sign-ins as fast as they are answered.`,
    table(['', 'p50 ms', 'p99 ms', 'p99 ratio'], '-rrr', [
      ['alone', ...times(alone), ''],
      [`beside ${signInsPerSecond.toFixed(0)} sign-ins a second`, ...times(flooded), significant(p99Ratio)],
    ]),
  ].join('\n\n');
}

function poolSection({ rounds, seconds, pgbench, figures }) {
  const ways = {
    tenantry: 'Tenantry, isolation on',
    raw: 'raw pg, prepared, no row-level security',
    prisma: "Prisma over Tenantry's pool",
    pgbench: 'pgbench, prepared, no row-level security',
  };
  return [
    `One process, without HTTP; the same SQL, 8 at a time, ${rounds} rounds of ${seconds} s. pgbench, a program in C, is a reference (${pgbench}).`,
    table(['what', 'way', 'per second', 'ratio'], '--rr', rowsOf(figures, ways, POOL_TITLES, ratedCells)),
  ].join('\n\n');
}

function duplicatesSection({ rounds, seconds, figures }) {
  const ways = {
    tenantry: "a statement through Tenantry's pool",
    prisma: "Prisma, in a transaction through Tenantry's door",
    stock: "Prisma's stock adapter over pg.Pool, no row-level security",
  };
  const rows = Object.entries(figures).map(([way, one]) => [
    ways[way],
    one.perSecond.toFixed(0),
    String(one.connectionsOpened),
    significant(one.ratio),
  ]);
  return [
    `Each attempt meets a unique index. ${rounds} rounds of ${seconds} s, 8 at a time.`,
    table(['way', 'per second', 'connections opened', 'ratio'], '-rrr', rows),
  ].join('\n\n');
}

function rowSecuritySection({ rounds, queries, figures }) {
  const ways = {
    with: 'tenant and statement, policies on',
    without: 'the same, no policies (a superuser)',
    statementAlone: 'the statement alone, no policies',
  };
  const cells = ({ cpuMicroseconds, ratio }) => [cpuMicroseconds.toFixed(0), significant(ratio)];
  return [
    `CPU of the PostgreSQL backend for one batch, ${rounds} rounds of ${queries}.`,
    table(['what', 'sent', 'CPU µs', 'ratio'], '--rr', rowsOf(figures, ways, POOL_TITLES, cells)),
  ].join('\n\n');
}

function largeListsSection({ rounds, queries, users, figures }) {
  const rows = Object.entries(figures).map(([title, { with: own, without }]) => [
    title,
    own.cpuMicroseconds.toFixed(0),
    without.cpuMicroseconds.toFixed(0),
    significant(own.ratio),
  ]);
  return [
    `CPU of the PostgreSQL backend for one page of 20 in a tenant of ${users.toLocaleString('en')} users, under the policies and as a superuser; ` +
      `${rounds} rounds of ${queries}.`,
    table(['what', 'with policies µs', 'without µs', 'ratio'], '-rrr', rows),
  ].join('\n\n');
}

const ratedCells = ({ perSecond, ratio }) => [perSecond.toFixed(0), significant(ratio)];

const rowsOf = (figures, ways, titles, cellsOf) =>
  Object.entries(figures).flatMap(([name, asked]) =>
    Object.entries(asked).map(([way, one]) => [titles[name], ways[way], ...cellsOf(one)]),
  );

function whatEachDoes() {
  const lines = CASES.flatMap((one) =>
    CANDIDATES.filter((candidate) => one[candidate]).map(
      (candidate) => `- ${one.title}, ${TITLES[candidate]}: ${one[candidate].does ?? one[candidate]}.`,
    ),
  );
  return [
    'Fastify + pg has prepared statements and response schemas, and no authentication, row-level security or checks. The usual stack is ' +
      'Express, jose and class-transformer, and Prisma with the documented row-level security extension; it looks up no session and no permission.',
    lines.join('\n'),
  ].join('\n\n');
}

const nameOf = (candidate) => (candidate === 'tenantry' ? '**Tenantry**' : TITLES[candidate]);

const times = ({ p50Ms, p99Ms }) => [p50Ms.toFixed(2), p99Ms.toFixed(2)];

/** @param {string} alignments a letter for each column: r for the right */
function table(head, alignments, rows) {
  const line = [...alignments].map((letter) => (letter === 'r' ? '--:' : '---'));
  return [head, line, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
