import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { connectionWaited, operationDone, statementFailed } from '../database/database-events';
import { CALLER_WENT, requestDone } from '../http/request-done';
import { isOperational } from './operational-routes';
import { SlidingCounts } from './sliding-counts';
import { sqlStateClass } from './sqlstate-class';

/** Classes (PostgreSQL manual, appendix A) that speak of the request, not of the server: bad data, violated constraints, lost races. */
const CALLERS_CLASSES = new Set(['22', '23', '40']);
/** The name under which everything is counted. */
const ALL = 'all';
/** 4xx speaks of the request, too. */
const SERVER_FAULT = '5xx';

/** How often something of a class went wrong, and what share of all that was tried. */
export interface ErrorRate {
  count: number;
  share: number;
}

/** Within the last 5 minutes, on this instance. Shares are from 0 to 1; of nothing: 0. */
export interface ErrorRateSnapshot {
  windowSeconds: number;
  http: {
    requests: number;
    /** `4xx` and `5xx`. */
    errors: Record<string, ErrorRate>;
    /** Of 5xx. */
    share: number;
  };
  database: {
    /** Operations; errors, where these are more. */
    attempts: number;
    /**
     * By class of SQLSTATE; `connection` when PostgreSQL said nothing, `timeout` when no connection came free in time,
     * `shed` when too many waited for one.
     */
    errors: Record<string, ErrorRate>;
    /** Of those errors that are not the caller's doing. */
    share: number;
  };
}

/** Counts what went wrong lately: answers of 500 and above (probes and scrapes apart), and errors of the database by class. */
@Injectable()
export class ErrorRates implements OnModuleInit, OnApplicationShutdown {
  private readonly requests = new SlidingCounts();
  private readonly operations = new SlidingCounts();
  private subscriptions: (() => void)[] = [];

  onModuleInit(): void {
    this.subscriptions = [
      requestDone.subscribe(({ route, status }) => {
        if (isOperational(route)) return;
        this.requests.add(ALL);
        if (status >= 400 && status !== CALLER_WENT) this.requests.add(status >= 500 ? SERVER_FAULT : '4xx');
      }),
      operationDone.subscribe(() => this.operations.add(ALL)),
      statementFailed.subscribe(({ sqlState }) => this.operations.add(sqlStateClass(sqlState))),
      connectionWaited.subscribe(({ outcome }) => {
        if (outcome === 'timeout' || outcome === 'shed') this.operations.add(outcome);
      }),
    ];
  }

  onApplicationShutdown(): void {
    for (const end of this.subscriptions) end();
  }

  snapshot(): ErrorRateSnapshot {
    const { [ALL]: requests = 0, ...failed } = this.requests.totals();
    const { [ALL]: operations = 0, ...errors } = this.operations.totals();
    const faults = Object.entries(errors).reduce(
      (sum, [name, count]) => (CALLERS_CLASSES.has(name) ? sum : sum + count),
      0,
    );
    const attempts = Math.max(operations, faults); // a connection that fails leaves no operation behind
    return {
      windowSeconds: this.requests.windowSeconds,
      http: { requests, errors: ratesOf(failed, requests), share: share(failed[SERVER_FAULT] ?? 0, requests) },
      database: { attempts, errors: ratesOf(errors, attempts), share: share(faults, attempts) },
    };
  }
}

function ratesOf(counts: Record<string, number>, whole: number): Record<string, ErrorRate> {
  return Object.fromEntries(
    Object.entries(counts).map(([name, count]) => [name, { count, share: share(count, whole) }]),
  );
}

/** Rounded to a hundredth of a percent; never more than 1. */
function share(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.min(1, Math.round((part / whole) * 10_000) / 10_000);
}
