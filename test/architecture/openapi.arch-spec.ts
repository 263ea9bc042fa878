import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats, { type FormatsPlugin } from 'ajv-formats';
import type { OpenAPIObject } from '@nestjs/swagger';
import { PLATFORM_PERMISSIONS, PERMISSIONS, OWN_PERMISSIONS } from '../../src/access/permissions';
import { permissionOf } from '../../src/http/openapi-permissions';
import { routesOf } from '../../src/http/openapi-routes';
import { read } from '../support/documents/generated';

type Json = Record<string, unknown>;

/** The committed document; documents.arch-spec.ts sees to it that it is fresh. */
const document = JSON.parse(read('openapi.json')) as OpenAPIObject;
const routes = routesOf(document).map((route) => ({ name: `${route.method.toUpperCase()} ${route.path}`, ...route }));

/** Every node of the document with its JSON pointer. */
const nodes = [...nodesOf(document, '')];

describe('openapi.json', () => {
  const ajv = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true });
  (addFormats.default as FormatsPlugin)(ajv);
  ajv.addVocabulary(['example']);
  for (const [name, schema] of Object.entries(document.components!.schemas!)) ajv.addSchema(standalone(schema), name);

  const faultsOf = (schema: object, value: unknown): string[] => {
    const check = ajv.compile(standalone(schema));
    return check(value) ? [] : (check.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
  };

  it.each(Object.keys(document.components!.schemas!))('has a schema %s that JSON Schema 2020-12 takes', (name) => {
    expect(ajv.getSchema(name)).toBeInstanceOf(Function);
  });

  it('closes every object: an unknown property is refused in a request, and would be a leak in an answer', () => {
    const open = nodes.filter(
      ({ node }) => 'properties' in node && isSchema(node) && node.additionalProperties === undefined,
    );
    expect(open.map(({ pointer }) => pointer)).toEqual([]);
  });

  it('has no `nullable`, which went with OpenAPI 3.0', () => {
    expect(nodes.filter(({ node }) => 'nullable' in node).map(({ pointer }) => pointer)).toEqual([]);
  });

  it('has examples that are true to their schemas', () => {
    const all = nodes.flatMap(examplesAt);
    expect(all.length).toBeGreaterThan(100);
    const wrong = all.flatMap(({ pointer, schema, value }) =>
      faultsOf(schema, value).map((fault) => `${pointer}: ${fault}`),
    );
    expect(wrong).toEqual([]);
  });

  it('shows an example of every value of an answer', () => {
    const bare = nodes.filter(
      ({ node, pointer }) => /^\/components\/schemas\/\w+\/properties\/\w+$/.test(pointer) && isBare(node),
    );
    expect(bare.map(({ pointer }) => pointer)).toEqual([]);
  });

  it('names every reference that it uses', () => {
    const references = nodes.flatMap(({ node }) => (typeof node.$ref === 'string' ? [node.$ref] : []));
    expect(references.length).toBeGreaterThan(0);
    for (const reference of references)
      expect({ reference, target: resolve(reference) }).toEqual({ reference, target: expect.anything() as unknown });
  });

  it('gives each operation an id of its own that clients can call a function', () => {
    const ids = routes.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[a-z]+([A-Z][a-z]+)*$/);
  });

  describe.each(routes)('$name', ({ path, method, operation }) => {
    const parameters = (operation.parameters ?? []).map(resolved);
    const named = (where: string) =>
      parameters.filter((parameter) => parameter.in === where).map((parameter) => parameter.name);

    it('has a short summary, a description and one tag that is explained', () => {
      expect(operation.summary).toMatch(/^[A-Z].{5,80}$/);
      expect(operation.description).toBeTruthy();
      expect(operation.tags).toHaveLength(1);
      expect(document.tags!.map(({ name }) => name)).toContain(operation.tags![0]);
    });

    it('says who may call it', () => {
      const permission = permissionOf(operation);
      if (!permission) {
        expect(operation).toMatchObject({ 'x-public': true, security: [] });
        return;
      }
      const catalogue: Record<string, object> = { ...PERMISSIONS, ...OWN_PERMISSIONS, ...PLATFORM_PERMISSIONS };
      expect(catalogue[permission.subject]).toHaveProperty(permission.action);
      expect(operation.security).toEqual([{ bearer: [] }]);
      expect(operation.responses).toHaveProperty('401');
    });

    it('documents its headers, its ids and its body', () => {
      expect(named('path').toSorted(byName)).toEqual(
        [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!).toSorted(byName),
      );
      expect(named('header').includes('Idempotency-Key')).toBe(method === 'post');
      if (method === 'patch') expect(named('header')).toContain('If-Match');
      if (operation.requestBody) {
        const [schema] = Object.values(
          (operation.requestBody as { content: Record<string, { schema: Json }> }).content,
        );
        expect(schema!.schema).toEqual({ $ref: expect.stringMatching(/Dto$/) as string });
      }
    });

    it('gives every answer its words, its headers and its schema', () => {
      for (const [status, response] of Object.entries(operation.responses)) {
        const { description, headers, content } = resolved(response as unknown as Json) as {
          description: string;
          headers: Json;
          content?: Record<string, { schema: unknown }>;
        };
        expect({ status, description }).toEqual({ status, description: expect.stringMatching(/\S/) as string });
        expect(headers).toHaveProperty(['X-Request-Id']);
        if (['204', '304'].includes(status)) expect(content).toBeUndefined();
        else {
          const answer = path === '/metrics' ? 'text/plain' : 'application/json'; // Prometheus' own format
          const type = status.startsWith('2') ? answer : 'application/problem+json';
          expect(content).toEqual({
            [type]: expect.objectContaining({ schema: expect.anything() as unknown }) as unknown,
          });
        }
      }
    });
  });
});

/** The examples of a schema, a parameter, a header or a body. */
function examplesAt({
  node,
  pointer,
}: {
  node: Json;
  pointer: string;
}): { pointer: string; schema: Json; value: unknown }[] {
  if ('example' in node && isSchema(node)) return [{ pointer, schema: node, value: node.example }];
  if (!isObject(node.schema) || !isObject(node.examples)) return [];
  const { schema, examples } = node as { schema: Json; examples: Record<string, Json> };
  return Object.entries(examples).map(([name, example]) => ({
    pointer: `${pointer}/${name}`,
    schema,
    value: resolved(example).value,
  }));
}

/** Nothing says what a value looks like: no example, no choice of words, no schema of its own, no yes or no. */
function isBare(node: Json): boolean {
  const says = ['example', 'enum', '$ref', 'anyOf', 'allOf'].some((keyword) => keyword in node);
  return !says && node.type !== 'boolean' && node.type !== 'array';
}

/** A schema that refers to others by their names alone. */
function standalone(schema: object): Json {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/components/schemas/', '"')) as Json;
}

function* nodesOf(value: unknown, pointer: string): Generator<{ node: Json; pointer: string }> {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) yield* nodesOf(item, `${pointer}/${index}`);
  } else if (isObject(value)) {
    yield { node: value, pointer };
    for (const [key, item] of Object.entries(value)) {
      if (!['example', 'value', 'default'].includes(key) || pointer.endsWith('/properties'))
        yield* nodesOf(item, `${pointer}/${key}`);
    }
  }
}

/** What has a `type` or leads to a schema is one; a schema's `properties` are none themselves. */
function isSchema(node: Json): boolean {
  return typeof node.type === 'string' || Array.isArray(node.type) || 'oneOf' in node || 'allOf' in node;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function resolve(reference: string): unknown {
  return reference
    .slice(2)
    .split('/')
    .reduce<unknown>((node, key) => (node as Json | undefined)?.[key], document);
}

function resolved(node: object): Json {
  return ('$ref' in node ? resolve(node.$ref as string) : node) as Json;
}

function byName(one: unknown, other: unknown): number {
  return String(one).localeCompare(String(other));
}
