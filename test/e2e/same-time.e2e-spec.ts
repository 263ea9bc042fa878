import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '../../src/common/id';
import { createTestApp, type TestApp } from '../support/app';
import { compareTimes } from '../support/same-time';
import { pathOf, SCENARIOS, setStage, type Stage } from '../support/scenarios';

/** Each id in the path of an operation that somebody confined to a tenant, or to oneself, may call. */
const all = Object.keys(SCENARIOS)
  .filter((operation) => !operation.includes('/platform/'))
  .flatMap((operation) => [...operation.matchAll(/\{(\w+)\}/g)].map(([, id]) => ({ operation, id: id! })));
const methodOf = (operation: string): string => operation.split(' ')[0]!;
/** Whether there is such a tenant is decided before the route is reached: once for each method is enough. */
const cases = all.filter(
  ({ operation, id }, place) =>
    id !== 'tenantId' ||
    all.findIndex((other) => other.id === id && methodOf(other.operation) === methodOf(operation)) === place,
);

let app: TestApp;
let stage: Stage;
let foreign: Stage;

beforeAll(async () => {
  app = await createTestApp();
  [stage, foreign] = await Promise.all([setStage(app), setStage(app)]);
}, 60_000);
afterAll(() => app.close());

/** Sends an operation over a connection that stays open, so that little but the answer takes time. */
function sender(operation: string, parameter: string): (id: string) => Promise<number> {
  const { ids, body, headers } = SCENARIOS[operation]!;
  const mine = ids!(stage);
  const text = body && JSON.stringify(body(stage));
  const { accessToken } = parameter === 'sessionId' ? stage.session : stage.owner.tokens;
  return async (id) => {
    const response = await fetch(app.target.url + pathOf(operation, { ...mine, [parameter]: id }), {
      method: methodOf(operation),
      headers: {
        authorization: `Bearer ${accessToken}`,
        ...headers,
        ...(text && { 'content-type': 'application/json' }),
      },
      ...(text && { body: text }),
    });
    await response.arrayBuffer();
    return response.status;
  };
}

describe('an id of another tenant', () => {
  it.each(cases)('is refused in the time of one that does not exist: $operation, $id', async ({ operation, id }) => {
    const send = sender(operation, id);
    const theirs = SCENARIOS[operation]!.ids!(foreign)[id]!;
    expect([await send(theirs), await send(newId())]).toEqual([404, 404]);
    const comparison = await compareTimes(
      () => send(theirs),
      () => send(newId()),
    );
    expect(comparison).toMatchObject({ areAlike: true });
  });

  it('would be told by a millisecond and a half', async () => {
    const send = sender('GET /v1/tenants/{tenantId}/users/{userId}', 'userId');
    const comparison = await compareTimes(
      () => send(foreign.user.id).then(() => sleep(1.5)),
      () => send(newId()),
    );
    expect(comparison).toMatchObject({ areAlike: false });
  });
});
