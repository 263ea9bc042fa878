import { HttpException } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';
import { assertHarmless } from './input-shape';

type Done = (error: Error | null, body?: unknown) => void;

/** Bodies are JSON, or with PATCH a merge patch; any other content type is answered with 415. */
export function takeJsonBodies(fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, text: string, done: Done) =>
    parse(text, done),
  );
  fastify.addContentTypeParser(
    'application/merge-patch+json',
    { parseAs: 'string' },
    ({ method }, text: string, done: Done) =>
      method === 'PATCH' ? parse(text, done) : done(new HttpException('Unsupported Media Type', 415)),
  );
}

function parse(text: string, done: Done): void {
  let body: unknown;
  try {
    body = parseJson(text);
  } catch (error) {
    return done(error as Error);
  }
  done(null, body);
}

/**
 * No text is no body: many clients name a content type with every request.
 * @throws HttpException 400 when it is no JSON
 * @throws InvalidInputError when it is nested too deeply, or names a part of an object's prototype
 */
export function parseJson(text: string): unknown {
  if (text === '') return undefined;
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new HttpException('Bad Request', 400); // without the parser's message, which quotes the body
  }
  assertHarmless(body);
  return body;
}
