import { defineConfig } from 'prisma/config';
process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= 'tools/schema-engine.mjs';
export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  datasource: { url: process.env.POSTGRES_OWNER_URL ?? 'postgresql://unset@127.0.0.1:1/unset' },
});
