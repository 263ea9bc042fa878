import type { OpenAPIObject } from '@nestjs/swagger';

export type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;

/** One operation of the document, with where it stands. */
export interface Route {
  path: string;
  method: (typeof METHODS)[number];
  operation: Operation;
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

/** Every operation of the document, in its order. */
export function routesOf(document: OpenAPIObject): Route[] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const operation = item[method];
      return operation ? [{ path, method, operation }] : [];
    }),
  );
}

/** The parameters that stand in the operation itself, not in the components. */
export function parametersOf(operation: Operation): { name: string; in: string; required?: boolean }[] {
  return (operation.parameters ?? []).flatMap((parameter) => ('name' in parameter ? [parameter] : []));
}
