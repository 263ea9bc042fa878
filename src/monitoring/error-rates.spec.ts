import { connectionWaited, operationDone, statementFailed } from '../database/database-events';
import { requestDone } from '../http/request-done';
import { ErrorRates } from './error-rates';

let rates: ErrorRates;
beforeEach(() => {
  rates = new ErrorRates();
  rates.onModuleInit();
});
afterEach(() => rates.onApplicationShutdown());

const times = (count: number, work: () => void): void => {
  for (let round = 0; round < count; round += 1) work();
};
const answer = (status: number, route: string | undefined = '/v1/tenants'): void =>
  requestDone.publish({
    method: 'GET',
    route,
    status,
    seconds: 0.01,
    tenantId: undefined,
    accountId: undefined,
    requestId: 'a request',
  });
const operate = (): void =>
  operationDone.publish({ pool: 'app', operation: 'findMany', model: 'Role', seconds: 0.01, statusCode: '' });
const fail = (sqlState: string | undefined): void => statementFailed.publish({ pool: 'app', sqlState });
const wait = (outcome: 'ok' | 'timeout' | 'shed' | 'failed'): void =>
  connectionWaited.publish({ pool: 'app', seconds: 0.01, outcome });

describe('the error rates', () => {
  it('of nothing are 0', () => {
    expect(rates.snapshot()).toEqual({
      windowSeconds: 300,
      http: { requests: 0, errors: {}, share: 0 },
      database: { attempts: 0, errors: {}, share: 0 },
    });
  });

  it('of HTTP are told by class, and judged by 5xx alone', () => {
    times(6, () => answer(200));
    times(3, () => answer(422));
    answer(404, undefined);
    times(2, () => answer(503));
    answer(499); // who goes is no error of ours
    expect(rates.snapshot().http).toEqual({
      requests: 13,
      errors: { '4xx': { count: 4, share: 0.3077 }, '5xx': { count: 2, share: 0.1538 } },
      share: 0.1538,
    });
  });

  it.each(['/health/ready', '/health', '/metrics', '/docs', '/openapi.json'])('leave %s out', (route) => {
    answer(503, route);
    expect(rates.snapshot().http).toEqual({ requests: 0, errors: {}, share: 0 });
  });

  it('of the database are told by class of SQLSTATE, and judged without what callers do', () => {
    times(20, operate);
    times(5, () => fail('23505'));
    times(3, () => fail('22P02'));
    times(2, () => fail('40001'));
    expect(rates.snapshot().database).toEqual({
      attempts: 20,
      errors: {
        '22': { count: 3, share: 0.15 },
        '23': { count: 5, share: 0.25 },
        '40': { count: 2, share: 0.1 },
      },
      share: 0,
    });
    for (const sqlState of ['57014', '57P01', '53300', 'XX000', undefined]) fail(sqlState);
    expect(rates.snapshot().database).toMatchObject({
      errors: {
        '57': { count: 1, share: 0.05 },
        '57P': { count: 1 },
        '53': { count: 1 },
        XX: { count: 1 },
        connection: { count: 1 },
      },
      share: 0.25,
    });
  });

  it('count whoever gets no connection, which leaves no operation behind', () => {
    times(3, () => wait('timeout'));
    wait('shed');
    times(5, () => wait('ok'));
    expect(rates.snapshot().database).toEqual({
      attempts: 4,
      errors: { shed: { count: 1, share: 0.25 }, timeout: { count: 3, share: 0.75 } },
      share: 1,
    });
  });

  it('end with the application', () => {
    rates.onApplicationShutdown();
    answer(500);
    operate();
    fail('57014');
    wait('timeout');
    expect(rates.snapshot()).toMatchObject({ http: { requests: 0 }, database: { attempts: 0, errors: {} } });
  });
});
