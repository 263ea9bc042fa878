import { randomUUID } from 'node:crypto';
import { PrismaPg } from '@prisma/adapter-pg';
import { ColumnTypeEnum, DriverAdapterError } from '@prisma/driver-adapter-utils';
import { createDatabase, dropDatabase, readUrl } from './connection.mjs';

const OID_CHAR = 18;
const OID_TEXT = 25;

/** Connects the engine to the database of a URL and, for `migrate dev` and `diff`, to a shadow database. */
export class MigrationAdapterFactory extends PrismaPg {
  #datasource;

  constructor(datasource) {
    const { config, schema } = readUrl(datasource.url);
    super(config, { schema });
    this.#datasource = datasource;
  }

  async connect() {
    return prepare(await super.connect());
  }

  async connectToShadowDb() {
    const { url, shadowDatabaseUrl } = this.#datasource;
    if (shadowDatabaseUrl) {
      const adapter = await connect(shadowDatabaseUrl);
      await adapter.executeScript('DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public;');
      return adapter;
    }
    const database = `prisma_migrate_shadow_db_${randomUUID()}`;
    await createDatabase(url, database);
    const adapter = await connect(url, { database });
    const dispose = adapter.dispose.bind(adapter);
    adapter.dispose = async () => {
      await dispose();
      await dropDatabase(url, database, ' WITH (FORCE)');
    };
    return adapter;
  }
}

async function connect(url, overrides) {
  const { config, schema } = readUrl(url, overrides);
  return prepare(await new PrismaPg(config, { schema }).connect());
}

function prepare(adapter) {
  acceptCharColumns(adapter);
  // adapter-pg splits scripts at every ';', which breaks $$ bodies; the simple query protocol takes a script whole.
  adapter.executeScript = async (script) => {
    try {
      await adapter.underlyingDriver().query(script);
    } catch (error) {
      throw asScriptError(error, script) ?? adapter.onError(error);
    }
  };
  return adapter;
}

/**
 * PostgreSQL's own words, and the line. Under most codes adapter-pg or the engine would have words of its own ("column
 * not found"), so the code goes into the words and the engine sees one that it does not know.
 */
function asScriptError(error, script) {
  const { severity, code, detail, hint, position } = error;
  if (severity === undefined) return undefined; // not the server's
  const line = position === undefined ? '' : `line ${script.slice(0, Number(position)).split('\n').length}, `;
  const message = `${error.message} (${line}SQLSTATE ${code})`;
  return new DriverAdapterError({ kind: 'postgres', severity, code: 'XX000', message, detail, hint });
}

/** adapter-pg refuses the catalogue's type "char", which the engine reads (confdeltype, prokind, …). */
function acceptCharColumns(adapter) {
  const { performIO, queryRaw } = adapter;
  adapter.queryRaw = async (query) => {
    const result = await performIO.call(adapter, query);
    const columns = result.fields.flatMap((field, index) => (field.dataTypeID === OID_CHAR ? [index] : []));
    for (const index of columns) result.fields[index].dataTypeID = OID_TEXT;
    const view = Object.assign(Object.create(adapter), { performIO: () => Promise.resolve(result) });
    const rows = await queryRaw.call(view, query);
    for (const index of columns) rows.columnTypes[index] = ColumnTypeEnum.Character;
    return rows;
  };
}
