import { newId } from '../../src/common/id';
import { Env } from '../../src/config/env';
import { createApp } from '../../src/create-app';
import { HealthService } from '../../src/health/health.service';
import { DatabaseSizeService } from '../../src/monitoring/database-size.service';
import { MetricsService } from '../../src/monitoring/metrics.service';
import { SizeSampler } from '../../src/monitoring/size-sampler';
import { createTestApp, type TestApp } from '../support/app';
import { newTenantWithOwner } from '../support/tenant';

const PATH = '/v1/platform/database/size';
const DAY_MS = 86_400_000;
const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
const TENANT_ID = newId();

/**
 * A sample of each of the last 31 days: everything grew by so many bytes a day. The newest is of now, so that the sampler, which
 * runs in every instance, takes none of its own (but when the hour turns in between).
 */
async function insertHistory(app: TestApp, perDay: number): Promise<void> {
  const now = Date.now();
  for (let day = 30; day >= 0; day -= 1) {
    await app.database.query(
      'monitor',
      `INSERT INTO ops.size_samples (taken_at, kind, name, bytes, estimated_rows) VALUES
       ($1, 'database', current_database(), $2, NULL), ($1, 'table', 'audit.events', $2, 7), ($1, 'tenant', $3, $2, 7)`,
      [new Date(now - day * DAY_MS), 10 * GIB - day * perDay, TENANT_ID],
    );
  }
}

describe(`GET ${PATH}`, () => {
  let app: TestApp;
  let young: TestApp;
  beforeAll(async () => {
    [app, young] = await Promise.all([createTestApp({ DATABASE_DISK_BOUND_BYTES: 20 * GIB }), createTestApp()]);
    await insertHistory(app, 100 * MIB);
  });
  afterAll(() => Promise.all([app?.close(), young?.close()]));

  it('tells how large everything is and how fast it grows', async () => {
    const { body } = await app.administrator.get<Record<string, unknown>>(PATH).expect(200);
    const growthBytesPerDay = { last7Days: 100 * MIB, last30Days: 100 * MIB };
    const bytes = body.bytes as number;
    expect(body).toEqual({
      bytes: expect.any(Number),
      growthBytesPerDay,
      diskBoundBytes: 20 * GIB,
      daysUntilFull: Math.round(((20 * GIB - bytes) / (100 * MIB)) * 10) / 10,
      tables: expect.arrayContaining([
        { table: 'audit.events', bytes: expect.any(Number), rows: expect.any(Number), growthBytesPerDay },
        expect.objectContaining({ table: 'app.roles', growthBytesPerDay: { last7Days: null, last30Days: null } }),
      ]),
      tenants: expect.arrayContaining([{ tenantId: TENANT_ID, bytes: 10 * GIB, rows: 7, growthBytesPerDay }]),
      sampledAt: expect.any(String),
    });
    expect(bytes).toBeGreaterThan(MIB);
    const sizes = (body.tables as { bytes: number }[]).map((table) => table.bytes);
    expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
  });

  it('tells the sizes of now, and claims no growth, before there are samples', async () => {
    const { body } = await young.administrator.get<Record<string, unknown>>(PATH).expect(200);
    expect(body).toMatchObject({
      bytes: expect.any(Number),
      growthBytesPerDay: { last7Days: null, last30Days: null },
      diskBoundBytes: null,
      daysUntilFull: null,
    });
  });

  it('is for platform administrators alone', async () => {
    const { owner } = await newTenantWithOwner(app);
    await owner.get(PATH).expectProblem(403, 'permission_missing');
    await app.anonymous().get(PATH).expectProblem(401, 'unauthenticated');
  });

  it('says so when the statistics cannot be read', async () => {
    const other = await createTestApp();
    try {
      await other.database.query('owner', 'REVOKE SELECT ON ops.size_samples FROM tenantry_monitor');
      await other.administrator.get(PATH).expectProblem(503, 'statistics_unavailable');
    } finally {
      await other.close();
    }
  });

  it('says so when there is no monitor login, and nobody samples', async () => {
    const { app: ofApp, platform } = app.database.urls;
    const nest = await createApp(app.nest.get(Env), { app: ofApp, platform }, false);
    try {
      await nest.get(SizeSampler).runOften();
      await expect(nest.get(DatabaseSizeService).read()).rejects.toMatchObject({ code: 'statistics_unavailable' });
      expect((await nest.get(HealthService).detail()).details).toMatchObject({
        disk_growth: { status: 'up', message: 'not configured' },
      });
    } finally {
      await nest.close();
    }
  });

  it('is told as metrics, too', async () => {
    const text = await app.nest.get(MetricsService).read();
    expect(text).toContain(`pg_database_growth_bytes_per_day{window="7d"} ${100 * MIB}\n`);
    expect(text).toContain(`pg_database_growth_bytes_per_day{window="30d"} ${100 * MIB}\n`);
    expect(text).toMatch(/^pg_database_days_until_full 20\d\.?\d?$/m);
    expect(text).toContain(`tenant_size_bytes{tenant="${TENANT_ID}"} ${10 * GIB}\n`);
    const youngText = await young.nest.get(MetricsService).read();
    expect(youngText).not.toMatch(/^pg_database_(growth_bytes_per_day|days_until_full)[ {]/m);
  });
});

describe('the health of the disk', () => {
  it.each([
    ['degraded, when it will be full within DISK_FULL_DEGRADED_DAYS', 10 * GIB + GIB, 'degraded', 'degraded'],
    ['up, when it will not', 1000 * GIB, 'up', 'ok'],
  ])('is %s', async (_, bound, status, overall) => {
    const app = await createTestApp({ DATABASE_DISK_BOUND_BYTES: bound });
    try {
      await insertHistory(app, GIB);
      expect(await app.nest.get(HealthService).detail()).toMatchObject({
        status: overall,
        details: {
          disk_growth: { status, boundBytes: bound, growthBytesPerDay: { last7Days: GIB, last30Days: GIB } },
        },
      });
      await app.anonymous().get('/health/ready').expect(200);
    } finally {
      await app.close();
    }
  });
});
