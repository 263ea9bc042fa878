import type { OpenAPIObject } from '@nestjs/swagger';

/** Closes every object: an unknown property is refused in a request, and in an answer it would be a leak. */
export function closeSchemas(document: OpenAPIObject): void {
  for (const schema of Object.values(document.components?.schemas ?? {})) {
    if ('type' in schema && schema.type === 'object') schema.additionalProperties ??= false;
  }
}
