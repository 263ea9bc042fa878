import type { BackupState } from '../backups/backup-catalogue';
import type { BackupOverview } from '../backups/backup-watch';
import { Env } from '../config/env';
import type { InstanceStatus } from './instance-status';
import type { ServerStatus } from './server-status';
import { statusPage } from './status-page';
import { type Findings, problemsIn } from './status-verdict';

const NOW = new Date('2026-11-23T13:00:00Z');
const HOSTILE = `evil\u001B[2J${'x'.repeat(200)}\u202E`;
const PLAIN = { heading: String, good: String, bad: String };
const GROWTH = { last7Days: 1024 ** 2, last30Days: null };

/** All is well, and everything is as long as it can be. */
const server = (over: Partial<ServerStatus> = {}): ServerStatus => ({
  version: '18.4 (Debian 18.4-1.pgdg120+1) and more words than anybody needs here',
  startedAt: new Date(NOW.getTime() - 3 * 86_400_000),
  activity: {
    connections: [
      'active',
      'idle',
      'idle in transaction',
      'idle in transaction (aborted)',
      'fastpath function call',
    ].map((state) => ({ login: HOSTILE, state, count: 100_000 })),
    serverConnections: 262_143,
    serverConnectionsMax: 262_143,
    oldestTransactionSeconds: 86_399,
    lockWaits: 99_999,
  },
  standbys: [{ standby: HOSTILE, seconds: 0.2, bytes: 100 }],
  archive: { lagBytes: 1e12, readySegments: 99_999, failed: 99_999 },
  statements: {
    countedSince: NOW,
    top: [{ text: `SELECT ${HOSTILE}`, login: 'tenantry_app', calls: 1e12, totalMs: 1e12, meanMs: 1e6 }],
  },
  size: {
    bytes: 1e12,
    growth: GROWTH,
    boundBytes: 2e12,
    daysUntilFull: 123_456.7,
    tables: [{ name: HOSTILE, bytes: 1e12, rows: 1e9, growth: GROWTH }],
    tenants: [{ name: HOSTILE, bytes: 1e12, rows: 1e9, growth: GROWTH }],
    sampledAt: NOW,
  },
  history: Array.from({ length: 200 }, (_, day) => ({ at: NOW, bytes: day })),
  backups: null,
  ...over,
});

const instance = (over: Partial<InstanceStatus> = {}): InstanceStatus => ({
  version: '0.1.0',
  startedAt: NOW,
  pools: [{ name: 'platform', used: 1, idle: 999, waiting: 99_999, max: 1_000, timeouts: 9_999_999, shed: 9_999_999 }],
  http: { requests: 1e12, serverErrors: 1e12, recentErrorRatio: 0.01 },
  database: {
    errors: Object.fromEntries(
      ['22', '23', '40', '42', '53', '57P', 'XX', 'connection', 'timeout'].map((c) => [c, 1e6]),
    ),
    recentErrorRatio: 0,
  },
  ...over,
});

const SCHEDULE = { backups: '0 2 * * *', drills: '30 3 * * *', receivesLog: true, keep: 7, keepDays: 7 };

const overview = (over: Partial<BackupState> = {}): BackupOverview => ({
  readAt: NOW,
  state: {
    observedAt: NOW,
    instance: 'a:1',
    engine: 'native',
    place: `the directory /${HOSTILE}`,
    surveyedAt: NOW,
    repositoryError: null,
    backups: 9_999_999,
    newestBackupId: 'b',
    newestBackupAt: new Date('2026-11-23T02:00:00Z'),
    coverageFrom: new Date('2026-11-16T02:00:00Z'),
    coverageTo: NOW,
    gap: null,
    gapAt: null,
    receiverUp: true,
    walLagBytes: 1e12,
    ...over,
  },
  runs: { newest: {}, failuresInARow: 0 },
  drills: { newest: null, lastSuccessAt: new Date('2026-11-23T03:30:00Z') },
});

const findings = (over: Partial<Findings> = {}): Findings => ({
  checkedAt: NOW,
  url: `http://${'h'.repeat(100)}:9464`,
  server: { isReachable: true, status: server() },
  instance: { isReachable: true, status: instance() },
  backups: { schedule: SCHEDULE, overview: overview() },
  ...over,
});

describe('the page', () => {
  it.each([
    ['all is known', findings()],
    [
      'nothing is known',
      findings({
        server: { isReachable: false, reason: HOSTILE },
        instance: { isReachable: false, reason: HOSTILE },
      }),
    ],
    [
      'there is no history yet',
      findings({
        server: {
          isReachable: true,
          status: server({ size: null, history: [], statements: { missing: 'not_loaded' } }),
        },
      }),
    ],
  ])('fits 80 columns when %s, and lets no word of others steer the terminal', (_, found) => {
    const page = statusPage(found, problemsIn(found, new Env()), PLAIN);
    for (const line of page.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect(page.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });

  it('says first how it is', () => {
    expect(statusPage(findings(), [], PLAIN)).toMatch(/^Tenantry is up {3}2026-11-23 13:00 UTC\n\nPostgreSQL 18\.4/);
    expect(statusPage(findings(), ['The end.'], PLAIN)).toMatch(/^Tenantry is degraded .*\n! The end\.\n/);
  });
});

describe('the verdict', () => {
  const env = Object.assign(new Env(), { DISK_FULL_DEGRADED_DAYS: 14 });
  const ofServer = (over: Partial<ServerStatus>): string[] =>
    problemsIn(findings({ server: { isReachable: true, status: server(over) } }), env);
  const ofInstance = (over: Partial<InstanceStatus>): string[] =>
    problemsIn(findings({ instance: { isReachable: true, status: instance(over) } }), env);

  const ofBackups = (over: Partial<BackupState>): string[] =>
    problemsIn(findings({ backups: { schedule: SCHEDULE, overview: overview(over) } }), env);

  it('is up when nothing is wrong', () => expect(problemsIn(findings(), env)).toEqual([]));

  it.each([
    [
      'a standby far behind',
      ofServer({ standbys: [{ standby: 's', seconds: 31, bytes: 0 }] }),
      'The standby s is 31 s behind.',
    ],
    [
      'a disk nearly full',
      ofServer({ size: { ...server().size!, daysUntilFull: 13.9 } }),
      'The disk will be full in 13.9 days.',
    ],
    ['sizes that cannot be read', ofServer({ size: null }), 'Sizes cannot be read: are all migrations applied?'],
    [
      'a full pool',
      ofInstance({ pools: [{ ...instance().pools[0]!, name: 'app', used: 8, max: 10 }] }),
      'The pool app has 8 of 10 connections in use.',
    ],
    ['failing requests', ofInstance({ http: { ...instance().http, recentErrorRatio: 0.06 } }), 'Many requests fail.'],
    [
      'a failing database',
      ofInstance({ database: { errors: {}, recentErrorRatio: 0.06 } }),
      "Many of the database's operations fail.",
    ],
    [
      'a backup that is late',
      ofBackups({ newestBackupAt: new Date('2026-11-22T01:59:00Z') }),
      'The newest backup is of 2026-11-22T01:59:00.000Z.',
    ],
    ['backups that cannot be read', ofBackups({ repositoryError: 'gone' }), 'Backups cannot be read.'],
    [
      'backups that nobody has proved',
      problemsIn(
        findings({
          backups: {
            schedule: SCHEDULE,
            overview: { ...overview(), drills: { newest: null, lastSuccessAt: new Date('2026-11-20T03:30:00Z') } },
          },
        }),
        env,
      ),
      'No drill has passed since 2026-11-20T03:30:00.000Z.',
    ],
    ['log that is lost', ofBackups({ gap: 'x is missing.' }), 'Write-ahead log is lost: x is missing.'],
    ['log that nobody receives', ofBackups({ receiverUp: false }), 'Nobody receives the write-ahead log.'],
    [
      'backups that nobody looks after',
      ofBackups({ observedAt: new Date(NOW.getTime() - 61_000) }),
      'No instance looks after backups.',
    ],
    [
      'a backup without its log',
      ofBackups({ coverageTo: null }),
      'The newest backup cannot be restored: the log that belongs to it is not stored.',
    ],
    [
      'log that is not stored for long',
      ofBackups({ coverageTo: new Date('2026-11-23T12:49:00Z') }),
      'What can be restored ends at 2026-11-23T12:49:00.000Z.',
    ],
  ])('names %s', (_, problems, expected) => expect(problems).toEqual([expected]));

  it('names each that cannot be asked', () => {
    const gone = { isReachable: false, reason: 'it is gone' } as const;
    expect(problemsIn(findings({ url: 'http://x', server: gone, instance: gone }), env)).toEqual([
      'PostgreSQL cannot be asked: it is gone',
      'Tenantry at http://x cannot be asked: it is gone',
    ]);
  });
});
