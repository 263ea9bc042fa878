import pg from 'pg';
import type { HostAddress } from '../common/postgres-url';
import { type ConnectionTarget, isSocket } from './connection-string';
import { PreferTlsConnection } from './prefer-tls-connection';

/** What pg.Client takes and its types do not tell. */
type FullClientConfig = pg.ClientConfig & { connection?: pg.Connection; sslnegotiation?: 'postgres' | 'direct' };

/** How pg connects to one host of a target: for one client, as a connection may be prepared in it. */
export function clientConfig(target: ConnectionTarget, { host, port }: HostAddress): pg.ClientConfig {
  const ssl = isSocket(host) ? false : target.tls.options(); // a socket has no TLS, as in libpq
  const config: FullClientConfig = {
    host,
    port,
    user: target.user,
    database: target.database,
    ssl,
    keepAlive: true,
    ...(target.password !== undefined && { password: target.password }),
    ...target.startup,
    ...(target.tls.isDirect && ssl && { sslnegotiation: 'direct' }),
    ...(ssl && target.tls.mode === 'prefer' && { connection: new PreferTlsConnection({ ssl, keepAlive: true }) }),
  };
  return config;
}
