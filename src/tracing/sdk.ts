import type { NestInterceptor } from '@nestjs/common';
import { isSpanContextValid, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg';
import { envDetector, hostDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { CleanExporter } from './clean-exporter';
import { HandlerSpans } from './handler-spans';
import { nameSpansByRoute } from './route-names';

/** A stop waits so long for the last spans to reach the collector, and no longer when there is none. */
const FLUSH_TIMEOUT_MS = 1_000;
/** Orchestrators ask every few seconds: their requests would hide the others. */
const PROBES = /^\/(?:health|metrics)(?:[/?]|$)/;

export interface RunningTracing {
  /** Gives each handler of a controller a span. */
  readonly handlerSpans: NestInterceptor;
  /** Of the span that is active; nothing outside of one. The names are those of OpenTelemetry for logs that are not OTLP. */
  traceIds(): { trace_id?: string; span_id?: string };
  /** Sends what is left, within FLUSH_TIMEOUT_MS. */
  stop(): Promise<void>;
}

/**
 * Spans of requests, handlers and SQL, in the trace of the caller's `traceparent` (W3C), to the collector.
 * The SDK reads its variables itself, by their standard names: OTEL_EXPORTER_OTLP_ENDPOINT and _HEADERS, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES,
 * OTEL_TRACES_SAMPLER and _ARG, OTEL_BSP_…, OTEL_SDK_DISABLED.
 */
export function startTracing(): RunningTracing {
  const sdk = new NodeSDK({
    resource: resourceFromAttributes({ 'service.name': 'tenantry' }), // OTEL_SERVICE_NAME wins
    resourceDetectors: [hostDetector, envDetector], // that of the process would tell its command line
    traceExporter: new CleanExporter(new OTLPTraceExporter()),
    metricReaders: [], // Prometheus has them (src/monitoring)
    logRecordProcessors: [], // standard output has them (http/app-logger.ts)
    instrumentations: [
      new HttpInstrumentation({
        disableOutgoingRequestInstrumentation: true, // Tenantry calls nobody
        ignoreIncomingRequestHook: ({ url = '' }) => PROBES.test(url),
      }),
      // What runs by itself, samplers and probes, has no request to belong to.
      new PgInstrumentation({ requireParentSpan: true }),
    ],
  });
  sdk.start();
  nameSpansByRoute();
  return {
    handlerSpans: new HandlerSpans(),
    traceIds: () => {
      const ids = trace.getActiveSpan()?.spanContext();
      return ids && isSpanContextValid(ids) ? { trace_id: ids.traceId, span_id: ids.spanId } : {};
    },
    stop: () => within(FLUSH_TIMEOUT_MS, sdk.shutdown()),
  };
}

/** Waits for `work`, but no longer than that; how it ends is nobody's concern. */
async function within(milliseconds: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, milliseconds)));
  await Promise.race([work.catch(() => undefined), late]);
  clearTimeout(timer);
}
