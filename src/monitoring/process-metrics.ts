import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { MetricsRegistry } from './metrics-registry';

/** Here and in dist/ the same two folders up. */
const PACKAGE = path.join(__dirname, '../../package.json');

let ofTheProcess: Registry | undefined;

/**
 * Event-loop lag, garbage collection, memory, file descriptors: prom-client's own. They watch the process through observers
 * that cannot be taken back, so there is one set however many applications run in it.
 */
export function processRegistry(): Registry {
  if (!ofTheProcess) {
    ofTheProcess = new Registry();
    collectDefaultMetrics({ register: ofTheProcess });
  }
  return ofTheProcess;
}

/** Which Tenantry this is, and how many processes. */
@Injectable()
export class ProcessMetrics implements OnModuleInit {
  constructor(private readonly registry: MetricsRegistry) {}

  onModuleInit(): void {
    const { version } = JSON.parse(readFileSync(PACKAGE, 'utf8')) as { version: string };
    this.registry.readGauge({
      name: 'tenantry_build_info',
      help: 'Which Tenantry this is; always 1.',
      labels: ['version'],
      read: () => [[{ version }, 1]],
      together: 'max',
    });
    this.registry.readGauge({
      name: 'tenantry_workers',
      help: 'Processes of this instance that serve: 1, or those of WORKERS that are up.',
      read: () => [[{}, 1]],
    });
  }
}
