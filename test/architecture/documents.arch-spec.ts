import { randomBytes } from 'node:crypto';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { OpenAPIObject } from '@nestjs/swagger';
import {
  ConflictError,
  type DomainError,
  ForbiddenError,
  InvalidInputError,
  NotFoundError,
  PreconditionFailedError,
  PreconditionRequiredError,
  TooManyRequestsError,
  UnauthenticatedError,
  UnavailableError,
} from '../../src/common/errors';
import { readEnv } from '../../src/config/env';
import { createApp } from '../../src/create-app';
import { PROBLEMS, type ProblemCode } from '../../src/http/problem-catalogue';
import { outcomeOf } from '../../src/http/problem.filter';
import { MetricsRegistry, SharedMetricsRegistry } from '../../src/monitoring/metrics-registry';
import { processRegistry } from '../../src/monitoring/process-metrics';
import { createDocument } from '../../src/openapi';
import { type Catalogue, readCatalogue } from '../support/catalogue';
import { erDiagram } from '../support/documents/er-diagram';
import { committed, committedPart, read } from '../support/documents/generated';
import { definitionsIn, metricsTable } from '../support/documents/metrics-table';
import { problemsTable } from '../support/documents/problems-table';
import { routesTable } from '../support/documents/routes-table';
import { readSayings } from '../support/documents/thrown-problems';
import { newDatabase, type TestDatabase } from '../support/postgres';

/** Generated and committed. `npm run docs` runs this spec with UPDATE_DOCS=1, which writes them anew. */
describe('generated documents are fresh (npm run docs)', () => {
  let database: TestDatabase;
  let app: NestFastifyApplication;
  let document: OpenAPIObject;
  let catalogue: Catalogue;

  beforeAll(async () => {
    database = await newDatabase();
    app = await createApp(
      readEnv({ NODE_ENV: 'test', SECRET_KEY: randomBytes(32).toString('base64') }),
      database.urls,
      false,
    );
    document = createDocument(app);
    catalogue = await readCatalogue((sql, parameters) => database.query('admin', sql, parameters));
  });
  afterAll(async () => {
    await app.close();
    await database.drop();
  });

  it('openapi.json', () => {
    const expected = `${JSON.stringify(document, null, 2)}\n`;
    expect(committed('openapi.json', expected)).toBe(expected);
  });

  it('openapi.json, as it is served', async () => {
    const served = await app.getHttpAdapter().getInstance().inject('/openapi.json');
    expect(served.json()).toEqual(JSON.parse(read('openapi.json')));
  });

  it('docs/routes.md', () => {
    const expected = routesTable(document);
    expect(committed('docs/routes.md', expected)).toBe(expected);
    for (const path of Object.keys(document.paths)) expect(expected).toContain(`\`${path}\``);
  });

  it('the diagram of docs/database-schema.md', () => {
    const { actual, expected } = committedPart('docs/database-schema.md', 'diagram', erDiagram(catalogue));
    expect(actual).toBe(expected);
  });

  it('the table of docs/errors.md', () => {
    const { actual, expected } = committedPart('docs/errors.md', 'problems', problemsTable());
    expect(actual).toBe(expected);
  });

  it('the table of docs/monitoring.md', () => {
    const table = metricsTable([app.get(MetricsRegistry), app.get(SharedMetricsRegistry), processRegistry()]);
    const { actual, expected } = committedPart('docs/monitoring.md', 'metrics', table);
    expect(actual).toBe(expected);
  });

  it('docs/monitoring.md explains every label', () => {
    const [, section] = read('docs/monitoring.md').split('### Every label');
    const explained = section!.match(/^\| (`\w+` ?)+/gm)!.flatMap((cell) => cell.match(/\w+/g) ?? []);
    const used = definitionsIn([app.get(MetricsRegistry), app.get(SharedMetricsRegistry), processRegistry()]).flatMap(
      ({ labelNames }) => labelNames,
    );
    expect(explained).toEqual(expect.arrayContaining(used));
  });

  it('docs/database-schema.md explains every column of every table, and none besides', () => {
    const sections = new Map(
      read('docs/database-schema.md')
        .split(/^### /m)
        .slice(1)
        .map((section) => [/^`([^`]+)`/.exec(section)?.[1], section]),
    );
    expect(new Set(sections.keys())).toEqual(new Set(catalogue.keys()));
    for (const { name, columns } of catalogue.values()) {
      const explained = sections
        .get(name)!
        .match(/^\| .*? \|/gm)!
        .flatMap((cell) => cell.match(/`\w+`/g) ?? []);
      expect({ name, columns: explained.toSorted() }).toEqual({
        name,
        columns: columns.map((column) => `\`${column.name}\``).toSorted(),
      });
    }
  });
});

const MADE_BY_KIND: Record<string, (code: string) => DomainError> = {
  UnauthenticatedError: (code) => new UnauthenticatedError(code),
  ForbiddenError: (code) => new ForbiddenError(code, ''),
  NotFoundError: () => new NotFoundError('user'),
  ConflictError: (code) => new ConflictError(code, ''),
  InvalidInputError: (code) => new InvalidInputError([], code),
  PreconditionFailedError: () => new PreconditionFailedError(),
  PreconditionRequiredError: () => new PreconditionRequiredError(),
  TooManyRequestsError: (code) => new TooManyRequestsError(code, '', 1),
  UnavailableError: (code) => new UnavailableError(code, ''),
};

describe('the catalogue of problems', () => {
  const { thrown, texts } = readSayings();

  it('finds what is thrown', () => {
    expect(thrown.map(({ code }) => code)).toEqual(
      expect.arrayContaining(['last_owner', 'slug_taken', 'invalid_cursor', 'not_found', 'too_many_attempts']),
    );
  });

  it('knows every code that is thrown, and no other', () => {
    const known = [...new Set([...thrown.map(({ code }) => code), ...codesOfTheFilter()])].toSorted();
    expect(Object.keys(PROBLEMS).toSorted()).toEqual(known);
  });

  it.each(thrown.map(({ code, file, kind }) => [code, file, kind]))(
    'gives %s, thrown in %s, its status',
    (code, _, kind) => {
      expect(outcomeOf(MADE_BY_KIND[kind]?.(code)).status).toBe(PROBLEMS[code as ProblemCode][0]);
    },
  );

  /** class-validator says it, in a hundred ways. */
  const said = (Object.keys(PROBLEMS) as ProblemCode[]).filter((code) => code !== 'invalid_input');

  it.each(said.filter((code) => thrown.some((problem) => problem.code === code)))(
    'says of %s what src/ says',
    (code) => {
      const [, detail] = PROBLEMS[code];
      expect(texts.some((text) => text.test(detail)) ? detail : 'nobody says so').toBe(detail);
    },
  );
});

/** Not thrown by us: what Fastify refuses, and what nobody foresaw. */
function codesOfTheFilter(): string[] {
  const literals = read('src/http/problem.filter.ts').match(/'[a-z_]+'/g) ?? [];
  return literals.map((literal) => literal.slice(1, -1)).filter((code) => code in PROBLEMS);
}
