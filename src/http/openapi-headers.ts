import { STATUS_CODES } from 'node:http';
import type { OpenAPIObject } from '@nestjs/swagger';
import { type Operation, routesOf } from './openapi-routes';

type Components = NonNullable<OpenAPIObject['components']>;

interface SchemaNode {
  $ref?: string;
  properties?: Record<string, unknown>;
}

export const EXAMPLE_ID = '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e01';

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

/** References to headers of the components. */
export function headerRefs(...names: string[]): Record<string, { $ref: string }> {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

/**
 * Documents what every route of a kind takes and gives, by the rules of idempotency.interceptor.ts and
 * response-headers.ts. The headers of errors are openapi-errors.ts's.
 */
export function addHeaders(document: OpenAPIObject): void {
  const components = (document.components ??= {});
  components.headers = HEADERS!;
  components.parameters = PARAMETERS!;
  for (const { method, operation } of routesOf(document)) {
    if (method === 'post') addParameter(operation, 'IdempotencyKey');
    for (const [status, response] of Object.entries(operation.responses)) {
      if (!status.startsWith('2') || !response || '$ref' in response) continue;
      const properties = propertiesOf(response.content?.['application/json']?.schema, document);
      const hasVersion = 'version' in properties;
      response.description ||= STATUS_CODES[status]!;
      response.headers = headerRefs(
        'X-Request-Id',
        ...(hasVersion ? ['ETag'] : []),
        ...(['201', '202'].includes(status) && 'id' in properties ? ['Location'] : []),
        ...('page' in properties ? ['Link'] : []),
        ...(method === 'post' ? ['Idempotency-Replayed'] : []),
      );
      if (hasVersion && method === 'get') addNotModified(operation);
    }
  }
}

function addNotModified(operation: Operation): void {
  addParameter(operation, 'IfNoneMatch');
  operation.responses['304'] = { description: 'Not changed since.', headers: headerRefs('X-Request-Id', 'ETag') };
}

function addParameter(operation: Operation, name: string): void {
  operation.parameters = [...(operation.parameters ?? []), { $ref: `#/components/parameters/${name}` }];
}

function propertiesOf(schema: SchemaNode | undefined, document: OpenAPIObject): Record<string, unknown> {
  const name = schema?.$ref?.split('/').at(-1);
  const resolved = name === undefined ? schema : (document.components?.schemas?.[name] as SchemaNode);
  return resolved?.properties ?? {};
}
