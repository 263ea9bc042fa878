import { loadDotEnv } from '../config/dot-env';
import { tracingEndpoint } from '../config/env';
import type { RunningTracing } from './sdk';

/**
 * OpenTelemetry, running, when OTEL_EXPORTER_OTLP_ENDPOINT is set; otherwise undefined, and none of it is loaded. It patches modules as they
 * are loaded, hence main.ts imports this file before any other, and it begins by being imported.
 */
export const tracing: RunningTracing | undefined = start();

function start(): RunningTracing | undefined {
  loadDotEnv();
  if (tracingEndpoint() === undefined) return undefined;
  // oxlint-disable-next-line typescript/no-require-imports -- loaded only where it is wanted, and before what follows in main.ts
  const { startTracing } = require('./sdk') as typeof import('./sdk');
  return startTracing();
}
