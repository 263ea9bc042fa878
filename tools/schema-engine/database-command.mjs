import { createDatabase, dropDatabase, readUrl, runStatement } from './connection.mjs';
import { connectionProblem } from './errors.mjs';

const COMMANDS = {
  'can-connect-to-database': (url) => runStatement(url, 'SELECT 1'),
  'create-database': (url, name) => createDatabase(url, name),
  'drop-database': (url, name) => dropDatabase(url, name),
};

/** @returns the exit code; what went wrong stands on standard error as the CLI expects it */
export async function runDatabaseCommand(command, url) {
  const { config } = readUrl(url);
  try {
    if (!COMMANDS[command]) throw new Error(`Unknown command ${command}`);
    await COMMANDS[command](url, config.database);
    return 0;
  } catch (error) {
    const { code, message } = connectionProblem(error, config) ?? { message: error.message };
    const fields = { message, ...(code && { error_code: code }) };
    const line = { timestamp: new Date().toISOString(), level: 'ERROR', fields, target: 'schema_engine::logger' };
    process.stderr.write(`\n${JSON.stringify(line)}`); // the CLI drops the first line
    return 1;
  }
}
