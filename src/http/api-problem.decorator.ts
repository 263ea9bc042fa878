import { applyDecorators } from '@nestjs/common';
import { ApiExtension, ApiExtraModels } from '@nestjs/swagger';
import { ProblemDto } from './problem';
import type { ProblemCode } from './problem-catalogue';

export const PROBLEMS_EXTENSION = 'x-problems';

/** Documents problems that do not follow from the route's shape (openapi-errors.ts adds those that do). */
export function ApiProblem(...codes: ProblemCode[]): MethodDecorator {
  return applyDecorators(ApiExtraModels(ProblemDto), ApiExtension(PROBLEMS_EXTENSION, codes));
}
