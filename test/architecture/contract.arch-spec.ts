import type { OpenAPIObject } from '@nestjs/swagger';
import type { Exchange } from '../support/contract';
import { Recorder } from '../support/recorder';

/** A document as Nest makes them, small. */
const DOCUMENT = {
  openapi: '3.1.0',
  info: { title: 'Test', version: '1' },
  paths: {
    '/things': {
      get: {
        responses: {
          200: {
            description: 'All',
            content: {
              'application/json': { schema: { type: 'array', items: { $ref: '#/components/schemas/Thing' } } },
            },
          },
        },
      },
    },
    '/things/{thingId}': {
      get: {
        responses: {
          200: {
            description: 'One',
            content: { 'application/json': { schema: { $ref: '#/components/schemas/Thing' } } },
          },
          404: { $ref: '#/components/responses/Missing' },
        },
      },
      delete: { responses: { 204: { description: 'Gone' } } },
    },
    '/things/newest': {
      get: { responses: { 204: { description: 'There is none' } } },
    },
  },
  components: {
    responses: {
      Missing: {
        description: 'None',
        content: {
          'application/problem+json': {
            schema: { type: 'object', required: ['code'], properties: { code: { type: 'string' } } },
          },
        },
      },
    },
    schemas: {
      Thing: {
        type: 'object',
        required: ['id'],
        properties: {
          id: { type: 'string', format: 'uuid', example: 'an example is no rule' },
          state: { type: 'string', enum: ['new', 'old'] },
          maker: { type: 'object', properties: { name: { type: 'string' } } },
        },
      },
    },
  },
} as unknown as OpenAPIObject;

const ID = '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e01';
const answer = (change: Partial<Exchange>): Omit<Exchange, 'route'> => ({
  method: 'GET',
  path: `/things/${ID}`,
  status: 200,
  contentType: 'application/json',
  body: { id: ID },
  ...change,
});

describe('an answer of a test', () => {
  it.each<[string, Partial<Exchange>]>([
    ['that is as documented', { body: { id: ID, state: 'new', maker: { name: 'Ada' } } }],
    ['that is a list', { path: '/things', body: [{ id: ID }] }],
    [
      'that is a documented problem',
      { status: 404, contentType: 'application/problem+json', body: { code: 'not_found' } },
    ],
    [
      'without a body, where none is documented',
      { method: 'DELETE', status: 204, contentType: undefined, body: undefined },
    ],
    [
      'of a fixed path, not of the one with a parameter',
      { path: '/things/newest', status: 204, contentType: undefined, body: undefined },
    ],
    [
      '404 where there is no route',
      { path: '/nothing', status: 404, contentType: 'application/problem+json', body: {} },
    ],
    ['that is the document itself', { path: '/openapi.json', body: {} }],
  ])('%s passes', (_, change) => {
    expect(() => new Recorder(DOCUMENT).record(answer(change))).not.toThrow();
  });

  it.each<[string, Partial<Exchange>, string]>([
    [
      'with a status that is not documented',
      { status: 201 },
      '201 is not among the documented answers of GET /things/{thingId}',
    ],
    [
      'with a property that the schema does not name',
      { body: { id: ID, secret: 1 } },
      'body has "secret", which the schema does not name',
    ],
    [
      'with such a property deeper down',
      { body: { id: ID, maker: { age: 1 } } },
      'body.maker has "age", which the schema does not name',
    ],
    [
      'with such a property in a list',
      { path: '/things', body: [{ id: ID }, { id: ID, secret: 1 }] },
      'body.1 has "secret", which the schema does not name',
    ],
    ['without a required property', { body: {} }, 'body lacks "id"'],
    ['with a value of the wrong format', { body: { id: '1' } }, 'body.id must match format "uuid", but is "1"'],
    [
      'with a value that is not in the list',
      { body: { id: ID, state: 'lost' } },
      'body.state must be equal to one of the allowed values (new, old), but is "lost"',
    ],
    [
      'of another media type',
      { contentType: 'text/html', body: '<p>' },
      'text/html is not documented, but application/json is',
    ],
    [
      'with a body where none is documented',
      { method: 'DELETE', status: 204 },
      'application/json is not documented, but no body is',
    ],
    [
      'without the body that is documented',
      { contentType: undefined, body: undefined },
      'the body is missing; documented is application/json',
    ],
    ['of a route that is not documented', { path: '/hidden' }, 'GET /hidden is not in the document'],
    ['of a method that is not documented', { method: 'PUT' }, `PUT /things/${ID} is not in the document`],
    [
      'that is another problem than its response says',
      { status: 404, contentType: 'application/problem+json', body: {} },
      'body lacks "code"',
    ],
  ])('%s fails, and says so', (_, change, fault) => {
    expect(() => new Recorder(DOCUMENT).record(answer(change))).toThrow(`\n  - ${fault}\n`);
  });

  it('is remembered with its route', () => {
    const recorder = new Recorder(DOCUMENT);
    recorder.record(answer({}));
    expect(recorder.exchanges).toEqual([{ ...answer({}), route: '/things/{thingId}' }]);
  });
});

describe('a call that nobody has awaited', () => {
  it('is named at the end, with its place', () => {
    const recorder = new Recorder(DOCUMENT);
    for (const isAwaited of [true, false]) {
      const call = recorder.callMade('GET /things');
      if (isAwaited) call.awaited();
    }
    expect(() => recorder.assertAllAwaited()).toThrow(
      /^These calls lack an await:\nGET \/things \(.*contract\.arch-spec\.ts:\d+/,
    );
  });
});
