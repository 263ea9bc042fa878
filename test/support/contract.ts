import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { OpenAPIObject } from '@nestjs/swagger';

/** A request and its answer. */
export interface Exchange {
  method: string;
  /** As it was sent, without the query. */
  path: string;
  status: number;
  /** The media type alone; undefined when the answer has no body. */
  contentType: string | undefined;
  body: unknown;
  /** The path of the OpenAPI document that it belongs to; undefined when there is none. */
  route: string | undefined;
}

/** Keywords of OpenAPI 3.1 that are none of JSON Schema and say nothing about validity. */
const OPENAPI_KEYWORDS = ['discriminator', 'xml', 'externalDocs', 'example'];
const METHODS = ['get', 'put', 'post', 'delete', 'patch'] as const;
const DOCUMENT = 'openapi.json';
/** What a client need not know from the document: the document itself. */
const NOT_IN_THE_DOCUMENT = /^\/(docs|openapi\.(json|yaml))(\/|$)/;

type Json = Record<string, unknown>;
type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;
interface Answer {
  content?: Record<string, unknown>;
  $ref?: string;
}

/** What the OpenAPI document promises, to hold live answers against it. */
export class Contract {
  private readonly ajv = new Ajv2020({
    strict: true,
    strictRequired: false,
    allErrors: true,
    allowUnionTypes: true,
    verbose: true,
  });
  private readonly routes: { template: string; pattern: RegExp }[];
  private readonly validators = new Map<string, ValidateFunction>();
  private readonly document: OpenAPIObject;

  constructor(document: OpenAPIObject) {
    this.document = closed(withResponsesInPlace(structuredClone(document)));
    addFormats.default(this.ajv);
    this.ajv.addVocabulary([...OPENAPI_KEYWORDS, ...Object.keys(this.document)]); // the document is no schema, its parts are
    this.ajv.addSchema(this.document, DOCUMENT, undefined, false);
    this.routes = Object.keys(document.paths)
      .toSorted((a, b) => parametersIn(a) - parametersIn(b)) // /roles/default is meant before /roles/{roleId}
      .map((template) => ({ template, pattern: patternOf(template) }));
  }

  /** Every operation as `GET /v1/tenants`. */
  operations(): string[] {
    return Object.entries(this.document.paths).flatMap(([path, item]) =>
      METHODS.filter((method) => item[method]).map((method) => `${method.toUpperCase()} ${path}`),
    );
  }

  /** The path of the document that a request belongs to, `/v1/tenants/{tenantId}`. */
  routeOf(method: string, path: string): string | undefined {
    return this.routes.find(({ template, pattern }) => pattern.test(path) && this.operationOf(method, template))
      ?.template;
  }

  /**
   * Everything in which an answer is not as the document says. An undocumented status is a fault, and so is a property
   * that the schema does not name.
   */
  faultsOf(exchange: Exchange): string[] {
    const { method, path, route, status, contentType } = exchange;
    if (!route)
      return status === 404 || NOT_IN_THE_DOCUMENT.test(path) ? [] : [`${method} ${path} is not in the document`];
    const answer = this.operationOf(method, route)!.responses[String(status)] as Answer | undefined;
    if (!answer) return [`${status} is not among the documented answers of ${method} ${route}`];
    const documented = Object.keys(answer.content ?? {});
    if (!contentType)
      return documented.length > 0 ? [`the body is missing; documented is ${documented.join(', ')}`] : [];
    if (!documented.includes(contentType))
      return [`${contentType} is not documented, but ${documented.join(', ') || 'no body'} is`];
    const validate = this.validatorOf(method, route, status, contentType);
    return validate(exchange.body) ? [] : (validate.errors ?? []).map(inWords);
  }

  private operationOf(method: string, route: string): Operation | undefined {
    const known = METHODS.find((candidate) => candidate === method.toLowerCase());
    return known && this.document.paths[route]?.[known];
  }

  private validatorOf(method: string, route: string, status: number, contentType: string): ValidateFunction {
    const steps = ['paths', route, method.toLowerCase(), 'responses', String(status), 'content', contentType, 'schema'];
    const $ref = `${DOCUMENT}#/${steps.map((step) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`;
    const known = this.validators.get($ref);
    if (known) return known;
    const validate = this.ajv.compile({ $ref });
    this.validators.set($ref, validate);
    return validate;
  }
}

/** The document with each response in its operation, not among the components. */
function withResponsesInPlace(document: OpenAPIObject): OpenAPIObject {
  const shared = document.components?.responses ?? {};
  for (const operation of Object.values(document.paths).flatMap((item) =>
    METHODS.flatMap((method) => item[method] ?? []),
  )) {
    for (const [status, answer] of Object.entries(operation.responses)) {
      if (answer && '$ref' in answer) operation.responses[status] = shared[answer.$ref.split('/').at(-1)!];
    }
  }
  return document;
}

/** The document with every object closed: a property that a schema does not name is refused. */
function closed<Node>(node: Node, isPartOfAllOf = false): Node {
  if (Array.isArray(node)) {
    node.forEach((item) => closed(item as unknown, isPartOfAllOf));
  } else if (node && typeof node === 'object') {
    const schema = node as Json;
    // Parts of an allOf each know some of the properties only.
    if (!isPartOfAllOf && isObject(schema.properties)) schema.additionalProperties ??= false;
    for (const [key, value] of Object.entries(schema)) if (!isExample(key)) closed(value, key === 'allOf');
  }
  return node;
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isExample = (key: string): boolean => ['example', 'examples', 'default', 'enum', 'const'].includes(key);

const parametersIn = (template: string): number => template.split('{').length;

function patternOf(template: string): RegExp {
  const parts = template.split(/\{[^}]+\}/).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join('[^/]+')}$`);
}

function inWords(error: ErrorObject): string {
  const where = `body${error.instancePath.replaceAll('/', '.')}`;
  const { additionalProperty, allowedValues, missingProperty } = error.params as Record<string, unknown>;
  if (typeof additionalProperty === 'string')
    return `${where} has "${additionalProperty}", which the schema does not name`;
  if (typeof missingProperty === 'string') return `${where} lacks "${missingProperty}"`;
  const allowed = Array.isArray(allowedValues) ? ` (${allowedValues.join(', ')})` : '';
  return `${where} ${error.message}${allowed}, but is ${JSON.stringify(error.data)}`;
}
