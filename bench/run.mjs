// npm run bench: measures Tenantry against others. docs/benchmark.md says what, how, and what it means.
import { loadavg } from 'node:os';
import { aimLines } from './aim-lines.mjs';
import { judge } from './aims.mjs';
import { drawNewestProfile } from './flame-graph.mjs';
import { readOptions, USAGE } from './options.mjs';
import { PARTS } from './parts.mjs';
import { writeReport } from './report.mjs';
import { TENANTS, USERS_PER_TENANT } from './seed.mjs';
import { setUp } from './setup.mjs';
import { environmentOf, onStage } from './stage.mjs';

async function main(stage) {
  const options = readOptions();
  if (!options) return console.log(USAGE);
  /** @type {{ part: string, message: string }[]} what went wrong; the figures of the others stand */
  const failures = [];
  const noteFailure = (part, error) => {
    if (stage.isClosing) return; // its servers were stopped
    console.error(`${part}: ${error.stack ?? error.message}`);
    failures.push({ part, message: error.message });
  };

  const setup = await setUp(stage, options, noteFailure);
  const { loadAverage, ...place } = await environmentOf(setup.urls.superuser);
  const figures = {};
  const comparisons = [];
  for (const name of options.parts) {
    const samples = [];
    await PARTS[name].measure(options, setup, samples).catch((error) => noteFailure(name, error));
    if (samples.length === 0) continue;
    figures[name] = { summary: PARTS[name].summarize(samples), samples };
    comparisons.push(...PARTS[name].compare(samples));
    noteWrongAnswers(name, samples, noteFailure);
  }
  loadAverage.push(loadavg()[0]); // ours alone comes to about 3
  await setup.stopServing(); // Node writes the profile at its end
  if (options.profile) console.log(`\n${drawNewestProfile(options.profile)}`);

  const environment = { ...place, loadAverage, tenants: TENANTS, usersPerTenant: USERS_PER_TENANT };
  const aims = judge(comparisons);
  const report = { environment, options, figures, aims, failures };
  console.log(`\n${options.isComplete ? writeReport(report) : aimLines(aims).join('\n')}`);
  const missed = aims.filter(({ outcome }) => outcome === 'missed');
  if (missed.length > 0) console.error(`${missed.length} aims are missed by more than their noise.`);
  if (failures.length > 0)
    console.error(`${failures.length} failures: ${failures.map(({ part }) => part).join(', ')}.`);
  if (failures.length > 0 || (missed.length > 0 && !options.reportOnly)) process.exitCode = 1;
}

function noteWrongAnswers(part, samples, noteFailure) {
  for (const { case: name, candidate, errors, unexpected } of samples.filter((sample) => sample.errors > 0)) {
    const what = [name, candidate].filter(Boolean).join(', ');
    noteFailure(part, { message: `${what}: ${errors} errors (${unexpected.join(', ')})` });
  }
}

await onStage(USAGE, main);
