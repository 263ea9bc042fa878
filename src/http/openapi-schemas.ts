import type { OpenAPIObject } from '@nestjs/swagger';

interface SchemaNode {
  type?: string | string[];
  nullable?: boolean;
  enum?: unknown[];
  additionalProperties?: unknown;
  allOf?: SchemaNode[];
  oneOf?: SchemaNode[];
  $ref?: string;
  [keyword: string]: unknown;
}

/**
 * Makes the schemas JSON Schema 2020-12, as OpenAPI 3.1 has it: Nest writes `nullable`, which went with 3.0.
 * Objects are closed: an unknown property is refused in a request, and in an answer it would be a leak.
 */
export function completeSchemas(document: OpenAPIObject): void {
  for (const schema of Object.values(document.components?.schemas ?? {})) {
    const object = schema as SchemaNode;
    if (object.type === 'object') object.additionalProperties ??= false;
    visit(object);
  }
}

function visit(node: unknown): void {
  if (Array.isArray(node)) return node.forEach(visit);
  if (!node || typeof node !== 'object') return;
  Object.values(node).forEach(visit);
  if ((node as SchemaNode).nullable === true) allowNull(node as SchemaNode);
}

function allowNull(schema: SchemaNode): void {
  delete schema.nullable;
  const reference = schema.$ref ? { $ref: schema.$ref } : schema.allOf?.[0];
  if (reference) {
    delete schema.$ref;
    delete schema.allOf;
    schema.oneOf = [reference, { type: 'null' }];
    return;
  }
  if (schema.type !== undefined) schema.type = [schema.type, 'null'].flat();
  if (schema.enum && !schema.enum.includes(null)) schema.enum = [...schema.enum, null];
}
