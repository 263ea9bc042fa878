import type { OpenAPIObject } from '@nestjs/swagger';
import { type Operation, type Route, routesOf } from './openapi-routes';

type Components = NonNullable<OpenAPIObject['components']>;
type Headers = Record<string, { $ref: string }>;

interface SchemaNode {
  $ref?: string;
  properties?: Record<string, unknown>;
}

const EXAMPLE_ID = '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e01';

const HEADERS: Components['headers'] = {
  'X-Request-Id': {
    description: 'The request as the logs and the audit trail name it: yours if you sent one, otherwise a new one.',
    schema: { type: 'string', example: EXAMPLE_ID },
  },
  ETag: { description: 'The version. Send it in `If-Match` to change it.', schema: { type: 'string', example: '"1"' } },
  Location: {
    description: 'The path of what was created.',
    schema: { type: 'string', format: 'uri-reference', example: `/v1/tenants/${EXAMPLE_ID}` },
  },
  Link: {
    description: 'The next page, `rel="next"`. Absent on the last.',
    schema: { type: 'string', example: '</v1/tenants?limit=20&cursor=WyJjcmVhdGVkQXQi>; rel="next"' },
  },
  'Idempotency-Replayed': {
    description: '`true` when this is the stored answer to an earlier request.',
    schema: { type: 'string', enum: ['true'] },
  },
  'Retry-After': { description: 'Seconds to wait.', schema: { type: 'integer', minimum: 0, example: 1 } },
  'WWW-Authenticate': { description: 'How to sign in.', schema: { type: 'string', example: 'Bearer' } },
};

const PARAMETERS: Components['parameters'] = {
  IdempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    description:
      'A text of your choice, new for each thing to be done. Repeat the request with it: the work is done once, and for 24 hours the answer is the same.',
    schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,255}$', example: 'order-4711-add-ada' },
  },
  IfNoneMatch: {
    name: 'If-None-Match',
    in: 'header',
    description: 'The ETag of what you have: 304 when it is still the same.',
    schema: { type: 'string', example: '"1"' },
  },
};

/**
 * Documents the headers that every route of a kind takes and gives, by the rules of idempotency.interceptor.ts,
 * response-headers.interceptor.ts and problem.filter.ts.
 */
export function addHeaders(document: OpenAPIObject): void {
  const components = (document.components ??= {});
  components.headers = HEADERS!;
  components.parameters = PARAMETERS!;
  for (const route of routesOf(document)) {
    if (route.method === 'post') addParameter(route.operation, 'IdempotencyKey');
    addVersionHeaders(route, document);
  }
  for (const response of responsesOf(document)) {
    const status = response.status;
    response.headers = {
      ...response.headers,
      ...refsTo('X-Request-Id'),
      ...(status === '401' && refsTo('WWW-Authenticate')),
      ...(['429', '503', '504'].includes(status) && refsTo('Retry-After')),
    };
    delete (response as { status?: string }).status;
  }
}

function addVersionHeaders({ method, operation }: Route, document: OpenAPIObject): void {
  for (const [status, response] of Object.entries(operation.responses)) {
    if (!status.startsWith('2') || !response || '$ref' in response) continue;
    const properties = propertiesOf(response.content?.['application/json']?.schema as SchemaNode, document);
    const hasVersion = 'version' in properties;
    response.headers = {
      ...response.headers,
      ...(hasVersion && refsTo('ETag')),
      ...(status === '201' && 'id' in properties && refsTo('Location')),
      ...('page' in properties && refsTo('Link')),
      ...(method === 'post' && refsTo('Idempotency-Replayed')),
    };
    if (!hasVersion || method !== 'get') continue;
    addParameter(operation, 'IfNoneMatch');
    operation.responses['304'] = { description: 'Not changed since.', headers: refsTo('ETag') };
  }
}

function addParameter(operation: Operation, name: string): void {
  operation.parameters = [...(operation.parameters ?? []), { $ref: `#/components/parameters/${name}` }];
}

function propertiesOf(schema: SchemaNode | undefined, document: OpenAPIObject): Record<string, unknown> {
  const name = schema?.$ref?.split('/').at(-1);
  const resolved = name === undefined ? schema : (document.components?.schemas?.[name] as SchemaNode);
  return resolved?.properties ?? {};
}

/** All responses that stand somewhere themselves, each with its status. */
function responsesOf(document: OpenAPIObject) {
  const own = routesOf(document).flatMap(({ operation }) => Object.entries(operation.responses));
  return own.flatMap(([status, response]) =>
    response && !('$ref' in response) ? [Object.assign(response, { status })] : [],
  );
}

function refsTo(name: string): Headers {
  return { [name]: { $ref: `#/components/headers/${name}` } };
}
