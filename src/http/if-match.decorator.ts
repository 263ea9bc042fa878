import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { ApiHeader } from '@nestjs/swagger';
import { InvalidInputError, PreconditionRequiredError } from '../common/errors';

interface IfMatchOptions {
  required: boolean;
}

interface RequestWithHeaders {
  headers: Record<string, string | string[] | undefined>;
}

const readIfMatch = createParamDecorator((options: IfMatchOptions, context: ExecutionContext) => {
  const header = context.switchToHttp().getRequest<RequestWithHeaders>().headers['if-match'];
  if (header === undefined) {
    if (options.required) throw new PreconditionRequiredError();
    return undefined;
  }
  if (header === '*') return undefined;
  const version = /^"(\d{1,9})"$/.exec(String(header))?.[1];
  if (version === undefined) {
    throw new InvalidInputError([
      {
        pointer: '/header/if-match',
        code: 'invalid_etag',
        message: 'If-Match must be one ETag as it was received, for example "3".',
      },
    ]);
  }
  return Number(version);
});

/**
 * The version that the caller read and means to change, from `If-Match` (RFC 9110, 13.1.1); undefined when it is absent
 * or `*`. With `required`, absence is refused.
 */
export function IfMatch(options: IfMatchOptions = { required: false }): ParameterDecorator {
  return (target, property, index) => {
    readIfMatch(options)(target, property, index);
    const method = Object.getOwnPropertyDescriptor(target, property!) as PropertyDescriptor;
    ApiHeader({
      name: 'If-Match',
      required: options.required,
      description: 'The ETag that you read: 412 when the resource has changed since. `*` for any.',
      schema: { type: 'string', pattern: '^(\\*|"\\d{1,9}")$', example: '"1"' },
    })(target, property!, method);
  };
}
