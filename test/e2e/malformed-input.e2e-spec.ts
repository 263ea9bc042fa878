import type { OpenAPIObject } from '@nestjs/swagger';
import addFormats from 'ajv-formats';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { routesOf } from '../../src/http/openapi-routes';
import { createDocument } from '../../src/openapi';
import type { ApiClient, ApiResponse, Method } from '../support/api-client';
import { createTestApp, type TestApp } from '../support/app';
import { BAD_BODIES, BAD_IDS, BAD_PARAMETERS, BAD_VALUES } from '../support/malformed-values';
import { pathOf, SCENARIOS, setStage, type Stage } from '../support/scenarios';

/** What a test of this file sends at once. */
const BATCH = 8;
/** Of parameters that take any text, a bad value may be a good one. */
const CLIENT_ERRORS = [400, 401, 403, 404, 409, 412, 413, 422, 429];
const FREE_TEXT = ['q'];

interface Schema {
  $ref?: string;
  type?: string | string[];
  example?: unknown;
  enum?: unknown[];
  items?: Schema;
  properties?: Record<string, Schema>;
}
type Json = Record<string, unknown>;

let app: TestApp;
let stage: Stage;
let document: OpenAPIObject;
let ajv: Ajv2020;
beforeAll(async () => {
  app = await createTestApp();
  document = createDocument(app.nest);
  ajv = new Ajv2020({ strict: false, validateFormats: true });
  addFormats.default(ajv);
  ajv.addSchema(document, 'document', undefined, false);
});
afterAll(() => app?.close());

/** Bodies that are taken after all may suspend or disable whom the stage is made of. */
async function setNewStage(): Promise<void> {
  stage = await setStage(app);
}

const operations = Object.keys(SCENARIOS);
const methodOf = (operation: string): Method => operation.split(' ')[0] as Method;
const callerOf = (operation: string): ApiClient => SCENARIOS[operation]!.caller?.(stage) ?? stage.owner;
const idsOf = (operation: string): Record<string, string> => SCENARIOS[operation]!.ids?.(stage) ?? {};

const operationOf = (operation: string) =>
  routesOf(document).find(({ method, path }) => `${method.toUpperCase()} ${path}` === operation)!.operation;

/** Sends one request; whichever version the resource has, so that nothing but the input can be wrong. */
function send(operation: string, { ids = idsOf(operation), query = '', body = undefined as string | undefined } = {}) {
  const path = `${pathOf(operation, ids)}${query && `?${query}`}`;
  const call = callerOf(operation).request(methodOf(operation), path, body).set('if-match', '*');
  return body === undefined ? call : call.set('content-type', 'application/json');
}

/** Does the work on each item, a few at a time. */
async function inBatches<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  for (let start = 0; start < items.length; start += BATCH) {
    await Promise.all(items.slice(start, start + BATCH).map(work));
  }
}

function expectOneOf(allowed: readonly number[], status: number, sent: object): void {
  expect({ ...sent, status: allowed.includes(status) ? 'allowed' : status }).toEqual({ ...sent, status: 'allowed' });
}

/** Asserts that an answer is no fault of ours and tells nothing of our inside, and that a 422 says where. */
function expectBlameless({ status, body }: ApiResponse, sent: unknown, pointer: RegExp): void {
  const shown = JSON.stringify(sent)?.slice(0, 200);
  expect({ sent: shown, status, fine: status < 500 }).toEqual({ sent: shown, status, fine: true });
  const problem = body as { errors?: { pointer: string }[] } | undefined;
  if (status >= 400)
    expect(JSON.stringify(problem)).not.toMatch(/node_modules|\.[jt]s:\d|prisma|postgres|FST_|SELECT /i);
  if (status !== 422) return;
  const pointers = problem!.errors?.map((error) => error.pointer) ?? [];
  expect({ sent: shown, pointers }).toEqual({
    sent: shown,
    pointers: expect.arrayContaining([expect.stringMatching(pointer)]) as unknown,
  });
}

describe('an id in the path that is none', () => {
  beforeAll(setNewStage);

  const withIds = operations.filter((operation) => operation.includes('{'));

  it.each(withIds)('is refused and pointed to: %s', async (operation) => {
    const names = [...operation.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!);
    const attempts = names.flatMap((name) => BAD_IDS.map((id) => ({ name, id })));
    await inBatches(attempts, async ({ name, id }) => {
      const body = JSON.stringify(SCENARIOS[operation]!.body?.(stage));
      const answer = await send(operation, { ids: { ...idsOf(operation), [name]: id }, body });
      expectOneOf([422], answer.status, { name, id });
      expectBlameless(answer, id, new RegExp(`^/path/${name}$`));
    });
  });
});

describe('a body', () => {
  beforeAll(setNewStage);

  const withBody = operations.filter((operation) => SCENARIOS[operation]!.body);

  it('is what these tests know of every operation that takes one', () => {
    const documented = routesOf(document).filter(({ operation }) => operation.requestBody);
    expect(documented.map(({ method, path }) => `${method.toUpperCase()} ${path}`).toSorted()).toEqual(
      withBody.toSorted(),
    );
  });

  it.each(withBody)('that is none is refused: %s', async (operation) => {
    await inBatches(BAD_BODIES, async (body) => {
      const answer = await send(operation, { body });
      expectOneOf([400, 422], answer.status, { body: body.slice(0, 100) });
      expectBlameless(answer, body, /^(\/(?!query|path|header)|$)/);
    });
  });

  it.each(withBody)('is refused where the document refuses it, and pointed into: %s', async (operation) => {
    const name = schemaNameOf(operation);
    const validate = ajv.getSchema(`document#/components/schemas/${name}`) as ValidateFunction;
    const sample = { ...(sampleOf({ $ref: name }) as Json), ...SCENARIOS[operation]!.body!(stage) };
    const attempts = [...placesIn({ $ref: name })].flatMap((place) => BAD_VALUES.map((value) => ({ place, value })));
    await inBatches(attempts, async ({ place, value }) => {
      const body = withValueAt(sample, place, value);
      const answer = await send(operation, { body: JSON.stringify(body) });
      if (!validate(body)) expectOneOf(CLIENT_ERRORS, answer.status, { place, value });
      expectBlameless(answer, { place, value }, /^\//);
    });
  });

  it('is not read where none is taken', async () => {
    await send('GET /v1/tenants', { body: '{"__proto__":1}' }).expect(200);
  });
});

describe('a query', () => {
  beforeAll(setNewStage);

  const lists = operations.filter((operation) => methodOf(operation) === 'GET');

  it.each(lists)('with values that are none is refused or harmless: %s', async (operation) => {
    const attempts = queryParametersOf(operation).flatMap((name) => BAD_PARAMETERS.map((value) => ({ name, value })));
    await inBatches(attempts, async ({ name, value }) => {
      const answer = await send(operation, { query: `${name}=${value}` });
      const mayBeFine = FREE_TEXT.includes(name) || (name === 'fields' && value === '');
      expectOneOf(mayBeFine ? [200, 422] : [422], answer.status, { name, value });
      expectBlameless(answer, { name, value }, new RegExp(`^/query/${name}$`));
    });
  });

  it.each(lists)('with a parameter twice, nested or unknown is refused or ignored: %s', async (operation) => {
    const names = queryParametersOf(operation);
    const queries = [
      ...names.flatMap((name) => [`${name}=a&${name}=b`, `${name}[gt]=1`, `${name}[]=1`]),
      '__proto__=1',
      'constructor=1',
      '%00=1',
      '=',
      '&&&',
      '%zz',
    ];
    await inBatches(queries, async (query) => {
      const answer = await send(operation, { query });
      expectOneOf([200, 422], answer.status, { query });
      expectBlameless(answer, query, /^\/query/);
    });
  });
});

describe('a header', () => {
  beforeAll(setNewStage);

  it.each(operations)('that cannot be is refused or harmless: %s', async (operation) => {
    const headers: [name: string, value: string][] = [
      ['authorization', `Bearer ${'a'.repeat(8_000)}`],
      ['authorization', 'Bearer a.b.c'],
      ['authorization', 'Bearer eyJhbGciOiJub25lIn0.e30.'],
      ['authorization', 'Bearer \u00ff\u00fe'],
      ['authorization', 'Basic Og=='],
      ['if-none-match', '"'.repeat(1_000)],
      ['x-forwarded-for', ', , ,'],
      ['accept', 'text/html;q=\u00ff'],
    ];
    const isSafe = methodOf(operation) === 'GET';
    await inBatches(isSafe ? headers : headers.filter(([name]) => name === 'authorization'), async ([name, value]) => {
      const answer = await send(operation).set(name, value);
      expectBlameless(answer, { name, value }, /^/);
    });
  });
});

const resolve = (schema: Schema): Schema =>
  schema.$ref ? (document.components!.schemas![schema.$ref.split('/').at(-1)!] as Schema) : schema;

function schemaNameOf(operation: string): string {
  const { content } = operationOf(operation).requestBody as { content: Record<string, { schema: Schema }> };
  return content['application/json']!.schema.$ref!.split('/').at(-1)!;
}

function queryParametersOf(operation: string): string[] {
  const parameters = (operationOf(operation).parameters ?? []) as { name?: string; in?: string }[];
  return parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name!);
}

/** A value as the schema has it, every property included. */
function sampleOf(schema: Schema): unknown {
  const { example, items, properties, ...rest } = resolve(schema);
  if (example !== undefined) return example;
  if (rest.enum) return rest.enum[0];
  if (items) return [sampleOf(items)];
  if (properties) return Object.fromEntries(Object.entries(properties).map(([name, part]) => [name, sampleOf(part)]));
  return null;
}

/** The path of every property, within the first element of arrays. */
function* placesIn(schema: Schema, place: string[] = []): Generator<string[]> {
  const { items, properties } = resolve(schema);
  if (items) {
    yield [...place, '0'];
    yield* placesIn(items, [...place, '0']);
  }
  for (const [name, part] of Object.entries(properties ?? {})) {
    yield [...place, name];
    yield* placesIn(part, [...place, name]);
  }
}

/** A copy with another value at this place; what leads there is made. */
function withValueAt(body: Json, place: readonly string[], value: unknown): Json {
  const copy = structuredClone(body);
  let parent: Json = copy;
  place.slice(0, -1).forEach((name, depth) => {
    parent = (parent[name] ??= /^\d+$/.test(place[depth + 1]!) ? [] : {}) as Json;
  });
  parent[place.at(-1)!] = value;
  return copy;
}
