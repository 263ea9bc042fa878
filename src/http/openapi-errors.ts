import { STATUS_CODES } from 'node:http';
import type { OpenAPIObject } from '@nestjs/swagger';
import { OWN_PERMISSIONS } from '../access/permissions';
import { PROBLEMS_EXTENSION } from './api-problem.decorator';
import { EXAMPLE_ID, headerRefs } from './openapi-headers';
import { permissionOf } from './openapi-permissions';
import { parametersOf, type Route, routesOf } from './openapi-routes';
import { type ProblemCode, PROBLEMS, problemsOfStatus } from './problem-catalogue';
import { toProblem } from './problem.filter';

interface Example {
  code: ProblemCode;
  detail: string;
  errors?: { pointer: string; code: string; message: string }[];
}

interface Declaring {
  [PROBLEMS_EXTENSION]?: ProblemCode[];
}

/** Of the examples that many routes share. */
const SHARED_INSTANCE = `/v1/tenants/${EXAMPLE_ID}/users`;
const EXAMPLE_REQUEST_ID = '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e02';

/** What comes with an error beside X-Request-Id. */
const HEADERS_OF_STATUS: Record<number, string[]> = {
  401: ['WWW-Authenticate'],
  429: ['Retry-After'],
  503: ['Retry-After'],
  504: ['Retry-After'],
};

/** Problems that are the same on every route which can answer them: they stand in the components. */
const SHARED: Record<number, ProblemCode[]> = {
  400: problemsOfStatus(400),
  401: ['unauthenticated', 'invalid_token', 'token_expired', 'session_ended'],
  412: problemsOfStatus(412),
  413: problemsOfStatus(413),
  415: problemsOfStatus(415),
  428: problemsOfStatus(428),
  500: problemsOfStatus(500),
  503: ['too_busy', 'database_unavailable', 'shutting_down'],
  504: problemsOfStatus(504),
};

/** Adds to each operation the problems that its shape brings: they follow from the route, so nobody need write them by hand. */
export function addErrorResponses(document: OpenAPIObject): void {
  const components = (document.components ??= {});
  const shared = Object.entries(SHARED).map(([status, codes]) => [Number(status), codes] as const);
  components.responses = Object.fromEntries(
    shared.map(([status, codes]) => [nameOf(status), responseOf(status, codes.map(plain), SHARED_INSTANCE)]),
  );
  components.examples = Object.fromEntries(
    (Object.keys(PROBLEMS) as ProblemCode[]).map((code) => [code, { value: problemOf(plain(code), SHARED_INSTANCE) }]),
  );
  for (const route of routesOf(document)) {
    const { responses } = route.operation;
    for (const status of sharedStatusesOf(route)) {
      responses[status] = { $ref: `#/components/responses/${nameOf(status)}` };
    }
    const examples = [...examplesByShape(route), ...declaredBy(route).map(plain)];
    delete (route.operation as Declaring)[PROBLEMS_EXTENSION];
    for (const status of new Set(examples.map(statusOf))) {
      const instance = route.path.replaceAll(/\{\w+\}/g, EXAMPLE_ID);
      const ofStatus = examples.filter((example) => statusOf(example) === status);
      responses[status] = responseOf(status, ofStatus, instance);
    }
  }
}

function sharedStatusesOf({ operation }: Route): number[] {
  const ifMatch = parametersOf(operation).find(({ name }) => name === 'If-Match');
  return [
    ...(operation.requestBody ? [400, 413, 415] : []),
    ...(permissionOf(operation) ? [401] : []),
    ...(ifMatch ? [412] : []),
    ...(ifMatch?.required ? [428] : []),
    500,
    503,
    504,
  ];
}

/** Problems that some routes of a shape have and others have not, or whose words depend on the route. */
function examplesByShape(route: Route): Example[] {
  const { operation, path, method } = route;
  const parameters = parametersOf(operation);
  const pathId = /\{(\w+)\}/.exec(path)?.[1];
  const takesQuery = parameters.some((parameter) => parameter.in === 'query');
  return [
    ...refusals(route),
    ...(pathId ? [{ ...plain('not_found'), detail: `There is no such ${pathId.replace(/Id$/, '')}.` }] : []),
    ...(pathId?.endsWith('Id') ? [invalid(`/path/${pathId}`, 'is_uuid', `${pathId} must be a UUID.`)] : []),
    ...(operation.requestBody ? [invalid('/isAdmin', 'unknown_property', 'property isAdmin should not exist.')] : []),
    ...(takesQuery ? [invalid('/query/x', 'unknown_property', 'property x should not exist.')] : []),
    ...(parameters.some(({ name }) => name === 'cursor') ? [plain('invalid_cursor')] : []),
    ...(method === 'post' ? [plain('idempotency_key_reused'), plain('idempotency_key_in_use')] : []),
  ];
}

/** Of one's own things nobody is refused; within a tenant the tenant or the membership may be suspended. */
function refusals({ operation, path }: Route): Example[] {
  const permission = permissionOf(operation);
  if (!permission || permission.subject in OWN_PERMISSIONS) return [];
  const { action, subject } = permission;
  return [
    { ...plain('permission_missing'), detail: `You lack the permission to ${action} ${subject}.` },
    ...(path.includes('{tenantId}') ? [plain('tenant_suspended'), plain('membership_suspended')] : []),
  ];
}

/** What `@ApiProblem` says. */
function declaredBy({ operation }: Route): ProblemCode[] {
  return (operation as Declaring)[PROBLEMS_EXTENSION] ?? [];
}

function plain(code: ProblemCode): Example {
  return { code, detail: PROBLEMS[code][1] };
}

function invalid(pointer: string, code: string, message: string): Example {
  return { code: 'invalid_input', detail: message, errors: [{ pointer, code, message }] };
}

const isPlain = ({ code, detail, errors }: Example): boolean => detail === PROBLEMS[code][1] && !errors;

function problemOf(example: Example, instance: string) {
  return toProblem({ status: statusOf(example), ...example }, instance, EXAMPLE_REQUEST_ID);
}

const statusOf = ({ code }: Example): number => PROBLEMS[code][0];

/** One example for each code: of two with the same the first. */
function responseOf(status: number, examples: readonly Example[], instance: string) {
  const byCode = new Map(examples.toReversed().map((example) => [example.code, example]));
  const shown = [...new Set(examples.map(({ code }) => code))].map((code) => byCode.get(code)!);
  return {
    description: `${STATUS_CODES[status]}: ${shown.map(({ code }) => `\`${code}\``).join(', ')}.`,
    headers: headerRefs('X-Request-Id', ...(HEADERS_OF_STATUS[status] ?? [])),
    content: {
      'application/problem+json': {
        schema: { $ref: '#/components/schemas/ProblemDto' },
        examples: Object.fromEntries(
          shown.map((example) => [
            example.code,
            isPlain(example)
              ? { $ref: `#/components/examples/${example.code}` }
              : { value: problemOf(example, instance) },
          ]),
        ),
      },
    },
  };
}

const nameOf = (status: number): string => STATUS_CODES[status]!.replaceAll(/\W/g, '');
