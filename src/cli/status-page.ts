import type { SizeOfPart } from '../monitoring/database-size.service';
import type { MissingStatistics } from '../monitoring/statements.repository';
import { backupLines } from './backup-status';
import type { InstanceStatus } from './instance-status';
import type { ServerStatus, StatementsStatus } from './server-status';
import type { Findings } from './status-verdict';
import { bar, columns, formatBytes, formatDuration, formatGrowth, formatTime, plain, sparkline } from './terminal-text';

/** How to emphasize; without colours each gives the text back. */
export interface Style {
  heading(text: string): string;
  good(text: string): string;
  bad(text: string): string;
}

const WIDTH = 80;
const BAR_WIDTH = 10;
const NAME_WIDTH = 36;
const SHOWN = 5;
const PLOT_WIDTH = 31;

const MISSING: Record<MissingStatistics, string> = {
  no_monitor_login: 'there is no monitor login',
  no_extension: 'pg_stat_statements is not installed in this database',
  not_loaded: 'the server does not load pg_stat_statements',
  outdated: 'pg_stat_statements is older than the server',
};

/** The page, in at most 80 columns. */
export function statusPage(findings: Findings, problems: readonly string[], style: Style): string {
  const { checkedAt, url, server, instance } = findings;
  const verdict = problems.length === 0 ? style.good('up') : style.bad('degraded');
  const since = (moment: Date): string => formatDuration((checkedAt.getTime() - moment.getTime()) / 1000);
  const section = (title: string, lines: readonly string[]): string[] => [
    '',
    style.heading(plain(title, WIDTH)),
    ...lines.map((line) => plain(`  ${line}`, WIDTH)),
  ];
  const unknown = (reason: string): string[] => [`not known: ${reason}`];
  const lines = [
    `Tenantry is ${verdict}   ${formatTime(checkedAt)}`,
    ...problems.map((problem) => style.bad(plain(`! ${problem}`, WIDTH))),
  ];
  if (server.isReachable) {
    const { status } = server;
    lines.push(
      ...section(`PostgreSQL ${status.version}, up ${since(status.startedAt)}`, connectionLines(status)),
      ...section(statementsTitle(status.statements), statementLines(status.statements)),
      ...section('Size', sizeLines(status)),
    );
  } else {
    lines.push(...section('PostgreSQL', unknown(server.reason)));
  }
  if (instance.isReachable) {
    const { status } = instance;
    lines.push(
      ...section(`Pools of ${url}, Tenantry ${status.version}, up ${since(status.startedAt)}`, poolLines(status)),
      ...section('Errors', errorLines(status)),
    );
  } else {
    lines.push(...section(`Pools and errors of ${url}`, unknown(instance.reason)));
  }
  lines.push(...section('Backups', backupLines(findings.backups, checkedAt)));
  return `${lines.join('\n')}\n`;
}

function connectionLines({ activity, standbys, archive }: ServerStatus): string[] {
  const { connections, serverConnections, serverConnectionsMax, oldestTransactionSeconds, lockWaits } = activity;
  const states = [...new Set(connections.map(({ state }) => state))].toSorted();
  const logins = [...new Set(connections.map(({ login }) => login))];
  const count = (login: string, state: string): string =>
    String(connections.find((found) => found.login === login && found.state === state)?.count ?? 0);
  const table = columns(
    ['login', ...states.map((state) => `>${state}`)],
    logins.map((login) => [plain(login, NAME_WIDTH), ...states.map((state) => count(login, state))]),
  );
  const lag = standbys.map(
    ({ standby, seconds, bytes }) => `${standby} ${formatDuration(seconds)}, ${formatBytes(bytes)} behind`,
  );
  return [
    `${serverConnections} of ${serverConnectionsMax} connections; oldest transaction ${formatDuration(oldestTransactionSeconds)}; ` +
      `${lockWaits} wait for a lock`,
    ...table,
    `standbys: ${lag.join('; ') || 'none'}`,
    `archive of the write-ahead log: ${archive ? `${archive.readySegments} segments wait, ${archive.failed} attempts failed` : 'off'}`,
  ];
}

function statementsTitle(statements: StatementsStatus): string {
  return 'missing' in statements
    ? 'Statements'
    : `Statements that took most time since ${formatTime(statements.countedSince)}`;
}

function statementLines(statements: StatementsStatus): string[] {
  if ('missing' in statements) return [`not known: ${MISSING[statements.missing]}`];
  if (statements.top.length === 0) return ['none yet'];
  const rows = statements.top.map(({ totalMs, calls, meanMs, text }) => [
    formatDuration(totalMs / 1000),
    calls.toLocaleString('en'),
    `${meanMs.toFixed(1)} ms`,
    text,
  ]);
  return columns(['>in all', '>calls', '>mean', 'statement'], rows);
}

function sizeLines({ size, history }: ServerStatus): string[] {
  if (!size) return ['not known'];
  const { bytes, growth, boundBytes, daysUntilFull, tables, tenants } = size;
  const plot =
    history.length > 1
      ? `  ${sparkline(
          history.map((point) => point.bytes),
          PLOT_WIDTH,
        )} 30 days`
      : '';
  const full = daysUntilFull === null ? 'no end in sight' : `full in ${daysUntilFull} days`;
  return [
    `database ${formatBytes(bytes)}${plot}`,
    `growth, by 7 days: ${formatGrowth(growth.last7Days)}; by 30: ${formatGrowth(growth.last30Days)}`,
    `disk: ${boundBytes === null ? 'DATABASE_DISK_BOUND_BYTES is not set' : `${formatBytes(boundBytes)}, ${full}`}`,
    ...partLines('table', tables),
    ...(tenants.length > 0
      ? partLines('tenant', tenants)
      : ['tenants: no sample has been taken yet, one is each hour']),
  ];
}

/** The largest, each with a bar against the first. */
function partLines(what: string, parts: readonly SizeOfPart[]): string[] {
  const largest = parts[0]?.bytes ?? 0;
  const rows = parts
    .slice(0, SHOWN)
    .map(({ name, bytes, growth }) => [
      plain(name, NAME_WIDTH),
      bar(largest > 0 ? bytes / largest : 0, BAR_WIDTH),
      formatBytes(bytes),
      growth.last7Days === null ? '–' : formatGrowth(growth.last7Days),
    ]);
  return columns([what, '', '>size', '>growth'], rows);
}

function poolLines({ pools }: InstanceStatus): string[] {
  return columns(
    ['pool', '', '>used', '>idle', '>most', '>waiting', '>timeouts', '>turned away'],
    pools.map(({ name, used, idle, max, waiting, timeouts, shed }) => [
      name,
      bar(max > 0 ? used / max : 0, BAR_WIDTH),
      ...[used, idle, max, waiting, timeouts, shed].map(String),
    ]),
  );
}

function errorLines({ http, database }: InstanceStatus): string[] {
  const recent = (ratio: number | null): string =>
    ratio === null ? 'none in the last 5 minutes' : `${(ratio * 100).toFixed(1)} % failed in the last 5 minutes`;
  const classes = Object.entries(database.errors).map(([name, count]) => `${name} ${count}×`);
  return [
    `requests: ${recent(http.recentErrorRatio)}; ` +
      `${http.serverErrors.toLocaleString('en')} of ${http.requests.toLocaleString('en')} since the start`,
    `database: ${recent(database.recentErrorRatio)}`,
    `database, by class of SQLSTATE since the start: ${classes.join(', ') || 'none'}`,
  ];
}
