import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { connectionWaited, operationDone, statementFailed } from '../database/database-events';
import { requestDone } from '../http/request-done';
import { isOperational } from './operational-routes';
import { SlidingCounts } from './sliding-counts';
import { sqlStateClass } from './sqlstate-class';

/** Classes (PostgreSQL manual, appendix A) that speak of the request, not of the server: bad data, violated constraints, lost races. */
const CALLERS_CLASSES = new Set(['22', '23', '40']);
const ERROR_OF_CLASS = 'error:';

/** Within the last 5 minutes, on this instance. Shares are from 0 to 1; of nothing: 0. */
export interface ErrorRateSnapshot {
  windowSeconds: number;
  http: { requests: number; serverErrors: number; share: number };
  database: {
    /** Operations; connections that could not be had, where these are more. */
    attempts: number;
    /** By class of SQLSTATE; `connection` when PostgreSQL said nothing, `timeout` when no connection came free in time. */
    errors: Record<string, number>;
    /** Of those errors that are not the caller's doing. */
    share: number;
  };
}

/** Counts what went wrong lately: answers of 500 and above (probes and scrapes apart), and errors of the database by class. */
@Injectable()
export class ErrorRates implements OnModuleInit, OnApplicationShutdown {
  private readonly counts = new SlidingCounts();
  private subscriptions: (() => void)[] = [];

  onModuleInit(): void {
    this.subscriptions = [
      requestDone.subscribe(({ route, status }) => {
        if (isOperational(route)) return;
        this.counts.add('requests');
        if (status >= 500) this.counts.add('serverErrors');
      }),
      operationDone.subscribe(() => this.counts.add('operations')),
      statementFailed.subscribe(({ sqlState }) => this.counts.add(ERROR_OF_CLASS + sqlStateClass(sqlState))),
      connectionWaited.subscribe(({ outcome }) => {
        if (outcome === 'timeout') this.counts.add(`${ERROR_OF_CLASS}timeout`);
      }),
    ];
  }

  onApplicationShutdown(): void {
    for (const end of this.subscriptions) end();
  }

  snapshot(): ErrorRateSnapshot {
    const { requests = 0, serverErrors = 0, operations = 0, ...rest } = this.counts.totals();
    const errors = Object.fromEntries(
      Object.entries(rest).map(([name, count]) => [name.slice(ERROR_OF_CLASS.length), count]),
    );
    const faults = Object.entries(errors).reduce(
      (sum, [name, count]) => (CALLERS_CLASSES.has(name) ? sum : sum + count),
      0,
    );
    const attempts = Math.max(operations, faults); // a connection that fails leaves no operation behind
    return {
      windowSeconds: this.counts.windowSeconds,
      http: { requests, serverErrors, share: share(serverErrors, requests) },
      database: { attempts, errors, share: share(faults, attempts) },
    };
  }
}

/** Rounded to a hundredth of a percent. */
function share(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((part / whole) * 10_000) / 10_000;
}
