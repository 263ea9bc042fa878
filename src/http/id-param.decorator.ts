import { Param, type PipeTransform } from '@nestjs/common';
import { ApiParam } from '@nestjs/swagger';
import { isUUID } from 'class-validator';
import { InvalidInputError } from '../common/errors';
import { lowerCaseId } from '../common/id';

const UUID_SCHEMA = { type: 'string', format: 'uuid' } as const;

/** An id in the path, in lower case as ours are. What is no UUID is wrong input, told before the database is asked. */
export function IdParam(name: string): ParameterDecorator {
  const pipe: PipeTransform = {
    transform(id: unknown): unknown {
      if (isUUID(id)) return lowerCaseId(id);
      throw new InvalidInputError([{ pointer: `/path/${name}`, code: 'is_uuid', message: `${name} must be a UUID.` }]);
    },
  };
  return (target, property, index) => {
    Param(name, pipe)(target, property, index);
    const method = Object.getOwnPropertyDescriptor(target, property!) as PropertyDescriptor;
    ApiParam({ name, schema: UUID_SCHEMA })(target, property!, method);
  };
}

/** Documents the `{tenantId}` of a route; the guard has taken it by the time a handler runs. */
export function ApiTenantParam(): MethodDecorator & ClassDecorator {
  return ApiParam({ name: 'tenantId', schema: UUID_SCHEMA });
}
