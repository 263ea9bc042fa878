/**
 * The class of an SQLSTATE (PostgreSQL manual, appendix A): its first two characters. 57P, the server's own going down or
 * starting, is told apart from the rest of 57, which is the operator's (and our timeouts').
 * @returns `connection` when PostgreSQL has said nothing
 */
export function sqlStateClass(sqlState: string | undefined): string {
  if (sqlState === undefined) return 'connection';
  return sqlState.startsWith('57P') ? '57P' : sqlState.slice(0, 2);
}
