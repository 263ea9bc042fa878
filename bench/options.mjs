import { parseArgs } from 'node:util';
import { CASES } from './cases.mjs';
import { PARTS } from './parts.mjs';

export const USAGE = `npm run bench [-- options]

Measures Tenantry against a plain Fastify + pg server, the usual stack (Express, jose, Prisma's RLS extension) and Better Auth, and
its way to the database against pg; holds what it finds against the aims, and writes bench/results/latest.{json,md},
ratios.svg and aims.svg.
The exit code is 1 when an aim is missed by more than its noise, a part fails, or an answer is wrong.

  --report-only      exit code 0 although aims are missed
  --seconds <n>      of each measurement of the throughput (2)
  --rounds <n>       of the throughput (3)
  --connections <n>  (8)
  --warm-up <n>      seconds of each case and candidate (6), until code is compiled and connections are open
  --parts <names>    only these, comma separated, and without writing the report: ${Object.keys(PARTS).join(', ')}
  --cases <names>    only these, likewise; of the parts only round-trips and throughput unless --parts says otherwise:
                     ${CASES.map(({ name }) => name).join(', ')}
  --profile <dir>    writes a CPU profile of Tenantry there and a flame graph of it; only the throughput, no report`;

/** @returns undefined when the usage is to be shown */
export function readOptions() {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '2' },
      rounds: { type: 'string', default: '3' },
      connections: { type: 'string', default: '8' },
      'warm-up': { type: 'string', default: '6' },
      parts: { type: 'string' },
      cases: { type: 'string' },
      profile: { type: 'string' },
      'report-only': { type: 'boolean', default: false },
      help: { type: 'boolean' },
    },
  });
  const { profile, 'report-only': reportOnly } = values;
  const [seconds, rounds, connections, warmUp] = ['seconds', 'rounds', 'connections', 'warm-up'].map((name) =>
    Number(values[name]),
  );
  const names = values.cases?.split(',') ?? CASES.map(({ name }) => name);
  const asked = values.parts?.split(',') ?? defaultParts(values);
  const parts = Object.keys(PARTS).filter((part) => asked.includes(part));
  const cases = CASES.filter(({ name }) => names.includes(name));
  const isWrong =
    !(seconds > 0 && rounds >= 1 && connections >= 1 && warmUp > 0) ||
    cases.length < names.length ||
    parts.length < asked.length;
  if (isWrong) process.exitCode = 1;
  if (isWrong || values.help) return undefined;
  const isComplete = !values.cases && !values.parts && !profile;
  return { seconds, rounds, connections, warmUp, parts, cases, profile, reportOnly, isComplete };
}

function defaultParts({ profile, cases }) {
  if (profile) return ['throughput'];
  return cases ? ['round-trips', 'throughput'] : Object.keys(PARTS);
}
