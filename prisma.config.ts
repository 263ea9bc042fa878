import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { defineConfig } from 'prisma/config';

const root = __dirname;
if (existsSync(path.join(root, '.env'))) process.loadEnvFile(path.join(root, '.env'));

// Prisma's own engine is downloaded from binaries.prisma.sh; tools/schema-engine.mjs is the same engine from npm.
// TENANTRY_NATIVE_ENGINE=1 takes Prisma's own; PRISMA_SCHEMA_ENGINE_BINARY, where set, names any other.
const standIn = path.join(root, 'tools', 'schema-engine.mjs');
if (process.env.TENANTRY_NATIVE_ENGINE !== '1') process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= standIn;

/**
 * POSTGRES_OWNER_URL; where it stands in a file or is encrypted, the application's own code reads it, of which an image has
 * the build alone.
 */
function ownerVariable(): string | undefined {
  const { POSTGRES_OWNER_URL, POSTGRES_OWNER_URL_FILE, CONFIG_KEY, CONFIG_KEY_FILE } = process.env;
  if (!POSTGRES_OWNER_URL_FILE && !POSTGRES_OWNER_URL?.startsWith('enc:')) return POSTGRES_OWNER_URL;
  const built = path.join(root, 'dist', 'config', 'secret-variables.js');
  if (!existsSync(built)) throw new Error('POSTGRES_OWNER_URL is in a file or encrypted: run npm run build first.');
  const { resolveSecrets } = createRequire(built)(built) as typeof import('./src/config/secret-variables');
  const source = { POSTGRES_OWNER_URL, POSTGRES_OWNER_URL_FILE, CONFIG_KEY, CONFIG_KEY_FILE };
  const { values, problems } = resolveSecrets(source);
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return values.POSTGRES_OWNER_URL;
}

/** POSTGRES_OWNER_URL, else the owner of the embedded database (src/database/embedded-database.ts keeps it there). */
function ownerUrl(): string | undefined {
  const given = ownerVariable();
  if (given) return given;
  const file = path.resolve(root, process.env.DATA_DIR ?? '.data', 'logins.json');
  if (!existsSync(file)) return undefined; // `generate` and `validate` need no database
  return (JSON.parse(readFileSync(file, 'utf8')) as { owner: string }).owner;
}

/**
 * Prisma hands its engine the URL as an argument, which `ps` shows to everybody on the machine. The stand-in finds the
 * password in PGPASSWORD instead; Prisma's own engine does not look there.
 */
function withoutPassword(url: string | undefined): string | undefined {
  if (process.env.PRISMA_SCHEMA_ENGINE_BINARY !== standIn) return url;
  return url?.replace(/^(\w+:\/\/[^:@/?]*):([^@/?]*)@/, (_, user: string, password: string) => {
    process.env.PGPASSWORD = decodeURIComponent(password);
    return `${user}@`;
  });
}

export default defineConfig({
  schema: path.join(root, 'prisma', 'schema.prisma'),
  migrations: { path: path.join(root, 'prisma', 'migrations') },
  datasource: { url: withoutPassword(ownerUrl()) },
});
