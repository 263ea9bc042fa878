import { Counter, Gauge, Histogram } from 'prom-client';
import { Scrape } from '../../test/support/scrape';
import { MetricsRegistry, SharedMetricsRegistry } from '../monitoring/metrics-registry';
import { MetricsService } from '../monitoring/metrics.service';
import { InstanceMetrics, type MeasuredWorker } from './instance-metrics';

const BUCKETS = [0.1, 1];
const DURATION = 'request_seconds';

/** A worker that has answered these requests, in seconds each. What it tells goes the way of a message: through JSON. */
function workerAfter(...requests: number[]): MeasuredWorker & { asked: boolean[]; isDeaf: boolean } {
  const own = new MetricsRegistry();
  const shared = new SharedMetricsRegistry();
  const registers = [own];
  const count = new Counter({ name: 'requests_total', help: 'Requests.', labelNames: ['route'], registers });
  const duration = new Histogram({ name: DURATION, help: 'Durations.', buckets: BUCKETS, registers });
  for (const seconds of requests) {
    count.inc({ route: '/v1' });
    duration.observe(seconds);
  }
  new Gauge({ name: 'connections', help: 'Connections.', registers }).set(5);
  own.readGauge({ name: 'batched', help: 'A flag.', read: () => [[{}, requests.length > 1 ? 1 : 0]], together: 'min' });
  shared.readGauge({ name: 'pg_up', help: 'The server.', read: () => [[{}, 1]] });
  const metrics = new MetricsService(own, shared);
  const worker = {
    asked: [] as boolean[],
    isDeaf: false,
    async collect(withShared: boolean) {
      worker.asked.push(withShared);
      if (worker.isDeaf) return undefined;
      const reading = { own: await metrics.readOwn(), shared: withShared ? await metrics.readShared() : [] };
      return JSON.parse(JSON.stringify(reading)) as typeof reading;
    },
  };
  return worker;
}

async function read(metrics: InstanceMetrics): Promise<Scrape> {
  return new Scrape(await metrics.read());
}

describe('InstanceMetrics', () => {
  it('adds up what workers count and hold, and tells once what all would tell alike', async () => {
    const [one, other] = [workerAfter(0.05, 0.5), workerAfter(5)];
    const metrics = await read(new InstanceMetrics(() => [one, other]));
    expect(metrics.value('requests_total', { route: '/v1' })).toBe(3);
    expect(metrics.find(`${DURATION}_bucket`).map(({ labels, value }) => [labels.le, value])).toEqual([
      ['0.1', 1],
      ['1', 2],
      ['+Inf', 3],
    ]);
    expect(metrics.value(`${DURATION}_sum`)).toBeCloseTo(5.55);
    expect([metrics.value('connections'), metrics.value('batched'), metrics.value('pg_up')]).toEqual([10, 0, 1]);
    expect([one.asked, other.asked]).toEqual([[true], [false]]);
  });

  it('never counts down: what a worker had counted stays when it is gone, what it held does not', async () => {
    const [one, other, third] = [workerAfter(0.05, 0.5), workerAfter(5), workerAfter(5)];
    let workers = [one, other, third];
    const instance = new InstanceMetrics(() => workers);
    await instance.read();
    workers = [one];
    instance.leave(other);
    instance.leave(third); // at once
    const metrics = await read(instance);
    expect(metrics.value('requests_total')).toBe(4);
    expect(metrics.value(`${DURATION}_count`)).toBe(4);
    expect([metrics.value('connections'), metrics.value('batched')]).toEqual([5, 1]);
  });

  it('tells of a worker that does not answer what it said last', async () => {
    const [one, other] = [workerAfter(0.05), workerAfter(5)];
    const instance = new InstanceMetrics(() => [one, other]);
    await instance.read();
    other.isDeaf = true;
    expect((await read(instance)).value('requests_total')).toBe(2);
  });

  it('has the age of the instance, and the worst delay of its processes', async () => {
    const metrics = await read(new InstanceMetrics(() => [workerAfter(), workerAfter()]));
    expect(metrics.value('process_start_time_seconds')).toBeLessThanOrEqual(Date.now() / 1000);
    expect(metrics.value('process_start_time_seconds')).toBeGreaterThan(Date.now() / 1000 - 3_600);
    expect(metrics.find('nodejs_eventloop_lag_p99_seconds')).toHaveLength(1);
  });
});
