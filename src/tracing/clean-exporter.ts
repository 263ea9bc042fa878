import { Logger } from '@nestjs/common';
import type { Attributes } from '@opentelemetry/api';
import type { core, tracing } from '@opentelemetry/sdk-node';
import { describeStatement } from '../database/statement-text';

const STATEMENT = 'db.query.text';
/**
 * What leaves the process of a span, and nothing else: paths, queries, headers and addresses are the caller's, and messages of errors
 * may quote what they have sent.
 */
const TOLD = new Set([
  'code.function.name',
  'db.namespace',
  'db.operation.name',
  'db.response.status_code',
  'db.system.name',
  'error.type',
  'http.request.method',
  'http.response.status_code',
  'http.route',
  'network.protocol.version',
  'url.scheme',
  STATEMENT,
]);

/** Cleans spans on their way out, which is after the request; says once when they do not arrive. */
export class CleanExporter implements tracing.SpanExporter {
  private readonly logger = new Logger('Tracing');
  private isFailing = false;

  constructor(private readonly next: tracing.SpanExporter) {}

  export(spans: tracing.ReadableSpan[], done: (result: core.ExportResult) => void): void {
    this.next.export(spans.map(cleanSpan), (result) => {
      this.note(result);
      done(result);
    });
  }

  shutdown(): Promise<void> {
    return this.next.shutdown();
  }

  async forceFlush(): Promise<void> {
    await this.next.forceFlush?.();
  }

  private note({ error }: core.ExportResult): void {
    if (error && !this.isFailing) this.logger.warn(`Spans do not reach the collector: ${error.message}`);
    if (!error && this.isFailing) this.logger.log('Spans reach the collector again.');
    this.isFailing = error !== undefined;
  }
}

/** The same span with what may be told; the rest it takes from the original. */
function cleanSpan(span: tracing.ReadableSpan): tracing.ReadableSpan {
  const { traceState: _callers, ...ids } = span.spanContext();
  return Object.create(span, {
    spanContext: { value: () => ids },
    attributes: { value: told(span.attributes) },
    events: { value: span.events.map(({ attributes, ...event }) => ({ ...event, attributes: typeOf(attributes) })) },
    status: { value: { code: span.status.code } },
  }) as tracing.ReadableSpan;
}

function told(attributes: Attributes): Attributes {
  const kept = Object.fromEntries(Object.entries(attributes).filter(([name]) => TOLD.has(name)));
  const statement = kept[STATEMENT];
  return typeof statement === 'string' ? { ...kept, [STATEMENT]: describeStatement(statement).text } : kept;
}

/** Of an exception its class alone. */
function typeOf(attributes: Attributes = {}): Attributes {
  const type = attributes['exception.type'];
  return type === undefined ? {} : { 'exception.type': type };
}
