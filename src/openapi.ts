import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import type { Env } from './config/env';
import { addErrorResponses } from './http/openapi-errors';

/** The OpenAPI document of every route, with the errors that each can answer. */
export function createDocument(app: NestFastifyApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Tenantry')
    .setDescription(
      'Tenants, users and roles, isolated by PostgreSQL. Errors are RFC 9457 problems; `code` is stable (docs/errors.md).',
    )
    .setVersion('1')
    .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT' })
    .build();
  return addErrorResponses(SwaggerModule.createDocument(app, config));
}

/** `/docs` and `/openapi.json`, where the configuration allows them. */
export async function serveDocs(app: NestFastifyApplication, env: Env): Promise<void> {
  if (!env.docsEnabled) return;
  await Promise.resolve();
  SwaggerModule.setup('docs', app, () => createDocument(app), {
    jsonDocumentUrl: 'openapi.json',
    yamlDocumentUrl: 'openapi.yaml',
  });
}
