import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Counter, Histogram } from 'prom-client';
import type { BoundedPool } from '../database/bounded-pool';
import { connectionCreated, connectionUsed, connectionWaited } from '../database/database-events';
import { Pools } from '../database/pools';
import { DATABASE_BUCKETS } from './durations';
import { MetricsRegistry } from './metrics-registry';

/** Connections of the pools, by OpenTelemetry's names (`db.client.connection.*`). */
@Injectable()
export class PoolMetrics implements OnModuleInit, OnApplicationShutdown {
  private subscriptions: (() => void)[] = [];

  constructor(
    private readonly registry: MetricsRegistry,
    private readonly pools: Pools,
  ) {}

  onModuleInit(): void {
    this.registerGauges();
    const waited = this.histogram('wait', 'Time until a caller had a connection.');
    const used = this.histogram('use', 'Time for which a caller had a connection.');
    const created = this.histogram('create', 'Time to make a connection.');
    const timeouts = this.counter('timeouts', 'Callers who got no connection in time.');
    const shed = this.counter('shed', 'Callers who were turned away because too many waited.');
    this.subscriptions = [
      connectionWaited.subscribe(({ pool, seconds, outcome }) => {
        waited.observe({ pool }, seconds);
        if (outcome === 'timeout') timeouts.inc({ pool });
        if (outcome === 'shed') shed.inc({ pool });
      }),
      connectionUsed.subscribe(({ pool, seconds }) => used.observe({ pool }, seconds)),
      connectionCreated.subscribe(({ pool, seconds }) => created.observe({ pool }, seconds)),
    ];
  }

  onApplicationShutdown(): void {
    for (const end of this.subscriptions) end();
  }

  private registerGauges(): void {
    const gauge = (name: string, help: string, valueOf: (pool: BoundedPool) => number): void =>
      this.registry.readGauge({
        name: `db_client_connection_${name}`,
        help,
        labels: ['pool'],
        read: () => this.existing().map((pool) => [{ pool: pool.name }, valueOf(pool)]),
      });
    this.registry.readGauge({
      name: 'db_client_connection_count',
      help: 'Connections of the pool.',
      labels: ['pool', 'state'],
      read: () =>
        this.existing().flatMap(({ name, idleCount, totalCount }) => [
          [{ pool: name, state: 'idle' }, idleCount],
          [{ pool: name, state: 'used' }, totalCount - idleCount],
        ]),
    });
    const flag = (name: string, help: string, isOn: (pool: BoundedPool) => boolean): void =>
      this.registry.readGauge({
        name: `tenantry_db_${name}`,
        help,
        labels: ['pool'],
        read: () => this.existing().map((pool) => [{ pool: pool.name }, isOn(pool) ? 1 : 0]),
        together: 'min',
      });
    flag('batched', '1: a tenant and its statement take one round trip; 0: a transaction of several.', (pool) => {
      return pool.batching.areBatched;
    });
    flag('named', '1: statements are prepared once for each connection; 0: PostgreSQL plans each anew.', (pool) => {
      return pool.batching.areNamed;
    });
    gauge('max', 'Connections that the pool may have.', (pool) => pool.options.max);
    gauge('pending_requests', 'Callers who wait for a connection.', (pool) => pool.pendingCount);
  }

  private existing(): BoundedPool[] {
    const { app, platform, replica } = this.pools;
    return replica ? [app, platform, replica] : [app, platform];
  }

  private histogram(what: 'wait' | 'use' | 'create', help: string): Histogram<'pool'> {
    const name = `db_client_connection_${what}_time_seconds`;
    const histogram = new Histogram({
      name,
      help,
      labelNames: ['pool'],
      buckets: DATABASE_BUCKETS,
      registers: [this.registry],
    });
    for (const { name: pool } of this.existing()) histogram.zero({ pool });
    return histogram;
  }

  private counter(what: 'timeouts' | 'shed', help: string): Counter<'pool'> {
    const name = `db_client_connection_${what}_total`;
    const counter = new Counter({ name, help, labelNames: ['pool'], registers: [this.registry] });
    for (const { name: pool } of this.existing()) counter.inc({ pool }, 0); // a first timeout must be seen as an increase
    return counter;
  }
}
