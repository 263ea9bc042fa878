import { STATUS_CODES } from 'node:http';
import type { OpenAPIObject } from '@nestjs/swagger';

type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

/** Adds to each operation the problems that its shape brings: they follow from the route, so nobody need write them by hand. */
export function addErrorResponses(document: OpenAPIObject): OpenAPIObject {
  for (const [path, item] of Object.entries(document.paths)) {
    for (const method of METHODS) {
      const operation = item[method];
      if (!operation) continue;
      for (const status of errorsOf(path, method, operation)) {
        operation.responses[status] ??= {
          description: STATUS_CODES[status]!,
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/ProblemDto' } } },
        };
      }
    }
  }
  return document;
}

function errorsOf(path: string, method: string, operation: Operation): number[] {
  const isPublic = 'x-public' in operation;
  const takesInput = Boolean(operation.requestBody) || (operation.parameters?.length ?? 0) > 0;
  const writes = method !== 'get';
  return [
    ...(takesInput ? [422] : []),
    ...(operation.requestBody ? [400, 413, 415] : []),
    ...(isPublic ? [] : [401, 403]),
    ...(path.includes('{') ? [404] : []),
    ...(writes && operation.requestBody ? [409] : []),
    ...(writes && path.includes('{') ? [412] : []),
    500,
    503,
    504,
  ];
}
