import { applyDecorators, type Type } from '@nestjs/common';
import { ApiExtraModels, ApiOkResponse, getSchemaPath } from '@nestjs/swagger';

/** Documents a list: `{ data: Item[], page: { nextCursor } }`. */
export function ApiPage(item: Type): MethodDecorator {
  return applyDecorators(
    ApiExtraModels(item),
    ApiOkResponse({
      description: 'One page. `Link` leads to the next.',
      headers: { Link: { description: 'The next page, rel="next".', schema: { type: 'string' } } },
      schema: {
        type: 'object',
        required: ['data', 'page'],
        additionalProperties: false,
        properties: {
          data: { type: 'array', items: { $ref: getSchemaPath(item) } },
          page: {
            type: 'object',
            required: ['nextCursor'],
            additionalProperties: false,
            properties: {
              nextCursor: { type: ['string', 'null'] as never, description: 'For `?cursor`; null on the last page.' },
            },
          },
        },
      },
    }),
  );
}
