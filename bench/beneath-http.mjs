// Runs one part beneath HTTP in a process of its own. Usage: fork('beneath-http.mjs', [<part>, <targets.json>]) with
// BENCH_URLS, JSON; it sends { figures, comparisons } or { error }.
import { readFileSync } from 'node:fs';
import { compareDuplicates, measureDuplicates } from './duplicates.mjs';
import { measureLargeLists } from './large-lists.mjs';
import { comparePool, measurePool } from './pool.mjs';
import { compareLargeLists, compareRowSecurity, measureRowSecurity } from './row-security.mjs';

const PARTS = {
  pool: [measurePool, comparePool],
  duplicates: [measureDuplicates, compareDuplicates],
  'row-security': [measureRowSecurity, compareRowSecurity],
  'large-lists': [measureLargeLists, compareLargeLists],
};

process.on('disconnect', () => process.exit()); // the parent is gone

const [part, targetsFile] = process.argv.slice(2);
const urls = JSON.parse(process.env.BENCH_URLS);
const targets = JSON.parse(readFileSync(targetsFile, 'utf8'));
try {
  const [measure, compare] = PARTS[part];
  const figures = await measure({ urls, targets });
  process.send({ figures, comparisons: compare(figures) });
} catch (error) {
  process.send({ error: error.stack });
}
process.disconnect();
