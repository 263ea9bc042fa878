import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { context, type Span, SpanStatusCode, trace } from '@opentelemetry/api';
import { Observable } from 'rxjs';

/** A span for each handler, `TenantsController.create`: what the service does, with its SQL within. */
export class HandlerSpans implements NestInterceptor {
  private readonly tracer = trace.getTracer('tenantry');

  intercept(execution: ExecutionContext, next: CallHandler): Observable<unknown> {
    const name = `${execution.getClass().name}.${execution.getHandler().name}`;
    return new Observable((subscriber) => {
      const span = this.tracer.startSpan(name, { attributes: { 'code.function.name': name } });
      // handle() itself takes the context along, so it is called within, too.
      const subscription = context.with(trace.setSpan(context.active(), span), () =>
        next.handle().subscribe({
          next: (value) => subscriber.next(value),
          error: (error: unknown) => {
            fail(span, error);
            subscriber.error(error);
          },
          complete: () => {
            span.end();
            subscriber.complete();
          },
        }),
      );
      return () => {
        subscription.unsubscribe();
        span.end();
      };
    });
  }
}

function fail(span: Span, error: unknown): void {
  span.setAttribute('error.type', error instanceof Error ? error.name : 'NonError');
  span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}
