import readline from 'node:readline';
import { bindMigrationAwareSqlAdapterFactory, DriverAdapterError } from '@prisma/driver-adapter-utils';
import { MigrationAdapterFactory } from './adapter.mjs';
import { createDatabase, readUrl } from './connection.mjs';
import { loadEngine } from './engine.mjs';
import { connectionProblem, migrationProblem } from './errors.mjs';

/** The code of the native engine's "see the data field". */
const RPC_ERROR = 4466;
/** For the commands that need an engine and no database (`migrate diff` between two schemas). */
const NO_DATABASE = 'postgresql://unused@127.0.0.1:1/unused';

/** Answers requests from standard input, one after another, until it closes. */
export function serveRpc({ datamodels, datasource }) {
  const url = datasource.url ?? NO_DATABASE;
  const factory = bindMigrationAwareSqlAdapterFactory(new MigrationAdapterFactory({ ...datasource, url }));
  let engine;
  const getEngine = () => (engine ??= loadEngine().then((Engine) => Engine.new({ datamodels }, () => {}, factory)));

  // What the native engine does otherwise than the wasm one.
  const methods = {
    getDatabaseVersion: async (params) => (await getEngine()).version(params),
    createDatabase: async () => {
      const { database } = readUrl(url).config;
      await createDatabase(url, database);
      return { databaseName: database };
    },
    diff: async (params) => {
      const result = await (await getEngine()).diff(params);
      if (result.stdout) send({ jsonrpc: '2.0', id: 'print', method: 'print', params: { content: result.stdout } });
      return { ...result, stdout: null };
    },
  };

  const answer = async ({ id, method, params }) => {
    try {
      const call = methods[method] ?? (async () => (await getEngine())[method](params));
      send({ jsonrpc: '2.0', id, result: (await call(params)) ?? {} });
    } catch (error) {
      const data = describe(error, factory, readUrl(url).config);
      send({
        jsonrpc: '2.0',
        id,
        error: { code: RPC_ERROR, message: 'An error happened. Check the data field for details.', data },
      });
    }
  };

  let last = Promise.resolve();
  const lines = readline.createInterface({ input: process.stdin, crlfDelay: Infinity });
  lines.on('line', (line) => {
    const request = JSON.parse(line);
    if (request.method) last = last.then(() => answer(request)); // without: the answer to a `print`
  });
  lines.on('close', () => void last.finally(() => process.exit(0)));
}

function describe(thrown, factory, config) {
  // An error of the adapter reaches the engine, and comes back from it, as a number.
  const error = (thrown.id === undefined ? undefined : factory.errorRegistry.consumeError(thrown.id)?.error) ?? thrown;
  const problem = connectionProblem(error, config) ?? migrationProblem(error.message);
  if (problem) return { is_panic: false, message: problem.message, error_code: problem.code };
  const message =
    error instanceof DriverAdapterError ? `${error.message}\n${JSON.stringify(error.cause)}` : error.message;
  return { is_panic: error.name === 'RuntimeError', message: message ?? String(error), error_code: error.code };
}

function send(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
