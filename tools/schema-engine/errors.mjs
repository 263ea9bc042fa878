/** Prisma's own codes and words for a connection that fails; undefined for any other error. */
export function connectionProblem(error, { host, port, user, database }) {
  const where = host.startsWith('/') ? host : `${host}:${port ?? 5432}`;
  if (error.code === '3D000') return { code: 'P1003', message: `Database \`${database}\` does not exist` };
  if (error.code === '28P01' || error.code === '28000') {
    return {
      code: 'P1000',
      message: `Authentication failed against the database server for \`${user}\`: ${error.message}`,
    };
  }
  if (
    error.syscall !== undefined ||
    error.errors !== undefined ||
    /timeout exceeded|timeout expired|Connection terminated/.test(error.message)
  ) {
    return {
      code: 'P1001',
      message: `Can't reach database server at \`${where}\`\n\nPlease make sure your database server is running at \`${where}\`.`,
    };
  }
  return undefined;
}

const FAILED_SCRIPT =
  /^external connector error\nError querying the database: (.*?)\n +0: .*?migration_name="([^"]+)"/s;

/** The native engine's words for a migration that fails; undefined for any other error of the wasm one. */
export function migrationProblem(message) {
  const [, reason, name] = FAILED_SCRIPT.exec(message) ?? [];
  if (!name) return undefined;
  return {
    code: 'P3018',
    message:
      'A migration failed to apply. New migrations cannot be applied before the error is recovered from. ' +
      'Read more about how to resolve migration issues in a production database: https://pris.ly/d/migrate-resolve\n\n' +
      `Migration name: ${name}\n\nDatabase error:\n${reason}`,
  };
}
