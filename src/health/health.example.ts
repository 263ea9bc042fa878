/** `/health` of an instance that is well, with every check; test/e2e/health.e2e-spec.ts holds it against a real answer. */
export const HEALTH_EXAMPLE = {
  lifecycle: { status: 'up' },
  connection_app: { status: 'up', responseTime: 1 },
  connection_platform: { status: 'up', responseTime: 1 },
  pool_app: { status: 'up', used: 1, idle: 2, waiting: 0, max: 10 },
  pool_platform: { status: 'up', used: 0, idle: 1, waiting: 0, max: 3 },
  migrations: { status: 'up', responseTime: 1, pending: [], failed: [], edited: [] },
  error_rate: {
    status: 'up',
    windowSeconds: 300,
    http: {
      requests: 2500,
      errors: { '4xx': { count: 50, share: 0.02 }, '5xx': { count: 1, share: 0.0004 } },
      share: 0.0004,
    },
    database: {
      attempts: 8000,
      errors: { '23': { count: 12, share: 0.0015 }, '57P': { count: 2, share: 0.0003 } },
      share: 0.0003,
    },
  },
  replication_lag: { status: 'up', standbys: [{ standby: 'standby-1', seconds: 0.002, bytes: 0 }] },
  server_activity: {
    status: 'up',
    connections: [
      { login: 'tenantry_app', state: 'active', count: 1 },
      { login: 'tenantry_app', state: 'idle', count: 2 },
      { login: 'tenantry_platform', state: 'idle', count: 1 },
    ],
    serverConnections: 7,
    serverConnectionsMax: 100,
    oldestTransactionSeconds: 0.004,
    lockWaits: 0,
    archive: { failed: 0, readySegments: 0, lagBytes: 4_194_304 },
  },
  disk_growth: {
    status: 'up',
    bytes: 5_368_709_120,
    boundBytes: 107_374_182_400,
    growthBytesPerDay: { last7Days: 104_857_600, last30Days: 94_371_840 },
    daysUntilFull: 972.8,
  },
  backup_age: {
    status: 'up',
    newestBackupAt: '2026-11-23T02:00:03.120Z',
    ageSeconds: 29_520,
    nextBackupAt: '2026-11-24T02:00:00.000Z',
    coverage: { from: '2026-11-16T02:00:41.907Z', to: '2026-11-23T10:12:01.456Z' },
    walLagBytes: 5_242_880,
    problems: [],
  },
};
