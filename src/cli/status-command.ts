import { Logger } from '@nestjs/common';
import { Command } from 'commander';
import { readApplicationBackups } from '../config/backup-env';
import { type Env, readEnv } from '../config/env';
import { backupReport } from './backup-status';
import { askInstance, metricsAddress } from './instance-status';
import { EXIT, EXIT_CODES_HELP } from './exit-codes';
import { askServer } from './server-status';
import { statusPage, type Style } from './status-page';
import { type Findings, problemsIn } from './status-verdict';

const HELP = `
What PostgreSQL knows (connections, statements, sizes) is asked of it directly,
under the monitor login: POSTGRES_MONITOR_URL, or that of the embedded database
in DATA_DIR. What only the running instance knows (pools, errors) is asked of
its /metrics with METRICS_TOKEN; beside an embedded database both are found in
DATA_DIR.
${EXIT_CODES_HELP}

Examples:
  npm run status
  npm run --silent status -- --json | jq .problems
  npm run status -- --url http://10.0.0.7:9464
  node dist/cli/status.js    where there is no npm, as in a container`;

interface Options {
  json?: true;
  url?: string;
}

/** `tenantry status`, and `npm run status`. */
export function statusCommand(): Command {
  return new Command('status')
    .description('Shows how Tenantry is: connections, pools, slow statements, sizes and growth, errors, backups.')
    .option('--json', 'as JSON, for programs')
    .option('--url <url>', 'where the instance, or its METRICS_PORT, listens')
    .addHelpText('after', HELP)
    .allowExcessArguments(false)
    .action(showStatus);
}

async function showStatus(options: Options): Promise<void> {
  Logger.overrideLogger(false); // the page says what cannot be read
  const env = readEnv();
  const findings = await lookAround(env, options.url);
  const problems = problemsIn(findings, env);
  process.stdout.write(
    options.json ? `${JSON.stringify(report(findings, problems), null, 2)}\n` : statusPage(findings, problems, style()),
  );
  process.exitCode = problems.length > 0 ? EXIT.failed : EXIT.done;
}

async function lookAround(env: Env, url: string | undefined): Promise<Findings> {
  const address = metricsAddress(env, url, env.POSTGRES_URL === undefined);
  const { schedule } = readApplicationBackups() ?? {};
  const [server, instance] = await Promise.all([askServer(env), askInstance(address)]);
  const backups = { schedule, overview: server.isReachable ? server.status.backups : null };
  return { checkedAt: new Date(), url: address.url, server, instance, backups };
}

/** Names carry their units; times are ISO 8601. What cannot be asked is null, and `problems` says why. */
function report({ checkedAt, url, server, instance, backups }: Findings, problems: readonly string[]): object {
  const { backups: _told, ...status } = server.isReachable ? server.status : { backups: null };
  return {
    status: problems.length === 0 ? 'up' : 'degraded',
    problems,
    checkedAt,
    server: server.isReachable ? status : null,
    instance: instance.isReachable ? { url, ...instance.status } : null,
    backups: backupReport(backups),
  };
}

/** Colours where a terminal has them and NO_COLOR is not set: Node's own judgement. */
function style(): Style {
  const hasColors = process.stdout.isTTY && process.stdout.hasColors();
  const wrap = (code: number) => (text: string) => (hasColors ? `\u001B[${code}m${text}\u001B[0m` : text);
  return { heading: wrap(1), good: wrap(32), bad: wrap(31) };
}
