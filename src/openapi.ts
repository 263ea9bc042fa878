import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import type { Env } from './config/env';
import { addErrorResponses } from './http/openapi-errors';
import { addHeaders } from './http/openapi-headers';
import { describePermissions } from './http/openapi-permissions';
import { closeSchemas } from './http/openapi-schemas';

const DESCRIPTION = `Tenants, users and roles, isolated by PostgreSQL.

- **Signing in**: \`POST /v1/auth/login\` gives an access token; send it as \`Authorization: Bearer …\`.
- **Errors** are RFC 9457 problems; their \`code\` is stable (docs/errors.md).
- **Lists** come in pages: pass \`page.nextCursor\` as \`?cursor\`, or follow \`Link\`.
- **Writes**: \`If-Match\` guards against lost changes, \`Idempotency-Key\` against doing a POST twice. PATCH is a JSON merge
  patch (RFC 7396). Unknown properties are refused.
- **X-Request-Id** is taken from the request, or made, and comes back with every answer.`;

const TAGS = {
  auth: "Signing in, and what is one's own",
  tenants: 'The customers',
  users: 'The people of a tenant and the roles they hold',
  roles: 'Named sets of permissions',
  audit: 'What happened in a tenant',
  platform: 'Above tenants, for platform administrators',
  health: 'For orchestrators',
};

/** The OpenAPI document of every route, with the headers and errors that follow from its shape. */
export function createDocument(app: NestFastifyApplication): OpenAPIObject {
  const builder = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Tenantry')
    .setDescription(DESCRIPTION)
    .setVersion('1')
    .addServer('/')
    .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT' });
  for (const [name, description] of Object.entries(TAGS)) builder.addTag(name, description);
  const document = SwaggerModule.createDocument(app, builder.build());
  closeSchemas(document);
  addHeaders(document);
  addErrorResponses(document);
  describePermissions(document);
  return document;
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
