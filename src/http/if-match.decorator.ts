import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { InvalidInputError, PreconditionRequiredError } from '../common/errors';

interface RequestWithHeaders {
  headers: Record<string, string | string[] | undefined>;
}

/**
 * The version that the caller read and means to change, from `If-Match` (RFC 9110, 13.1.1); undefined when it is absent
 * or `*`. With `required`, absence is refused.
 */
export const IfMatch = createParamDecorator((options: { required: boolean } | undefined, context: ExecutionContext) => {
  const header = context.switchToHttp().getRequest<RequestWithHeaders>().headers['if-match'];
  if (header === undefined) {
    if (options?.required) throw new PreconditionRequiredError();
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
