import pg from 'pg';
import type { HostAddress } from '../common/postgres-url';
import { clientConfig } from './client-config';
import type { ConnectionTarget, SessionAttributes } from './connection-string';
import { dropConnection } from './drop-connection';

/** A connection, and to which host. The caller ends it. */
export interface FoundServer {
  client: pg.Client;
  address: HostAddress;
}

/** Why one host was passed over. */
export interface HostFailure {
  address: HostAddress;
  error: Error;
}

/** No host of a target is there, or none is what the target asks for. */
export class NoServerError extends Error {
  constructor(readonly failures: readonly HostFailure[]) {
    super(failures.map(({ address, error }) => `${nameOf(address)}: ${error.message}`).join('; '));
    this.name = 'NoServerError';
  }
}

interface ServerState {
  standby: boolean;
  readOnly: boolean;
}

/**
 * Connects to the first host, in their order, that answers and is what `target_session_attrs` asks for.
 * @param timeoutMs for all hosts together; `connect_timeout` of the target is for each
 * @throws NoServerError with the reason of each host
 */
export async function connectToFirst(
  target: ConnectionTarget,
  timeoutMs: number,
  applicationName: string,
): Promise<FoundServer> {
  const failures: HostFailure[] = [];
  const perHostMs = Math.min(target.connectTimeoutMs ?? timeoutMs, Math.ceil(timeoutMs / target.hosts.length));
  // Only this one accepts what it does not prefer: it asks twice.
  const passes: SessionAttributes[] =
    target.sessionAttributes === 'prefer-standby' ? ['standby', 'any'] : [target.sessionAttributes];
  for (const wanted of passes) {
    for (const address of target.hosts) {
      const client = new pg.Client({
        application_name: applicationName,
        connectionTimeoutMillis: perHostMs,
        ...clientConfig(target, address),
      });
      client.on('error', () => undefined); // the query under way fails with it and tells
      let isConnected = false;
      try {
        await client.connect();
        isConnected = true;
        if (wanted !== 'any') assertIs(wanted, await stateOf(client, perHostMs));
        return { client, address };
      } catch (error) {
        failures.push({ address, error: error as Error });
        if (isConnected) await client.end().catch(() => undefined);
        else dropConnection(client);
      }
    }
  }
  throw new NoServerError(failures);
}

export const nameOf = ({ host, port }: HostAddress): string => (host.startsWith('/') ? host : `${host}:${port}`);

async function stateOf(client: pg.Client, timeoutMs: number): Promise<ServerState> {
  const question = {
    text: `SELECT pg_is_in_recovery() AS standby, current_setting('transaction_read_only') = 'on' AS "readOnly"`,
    query_timeout: timeoutMs,
  };
  const { rows } = await client.query<ServerState>(question);
  return rows[0]!;
}

function assertIs(wanted: Exclude<SessionAttributes, 'any'>, { standby, readOnly }: ServerState): void {
  const fits = {
    'read-write': !readOnly,
    'read-only': readOnly,
    primary: !standby,
    standby,
    'prefer-standby': standby,
  }[wanted];
  if (!fits) throw new Error(`it is ${standby ? 'a standby' : readOnly ? 'read-only' : 'the primary'}`);
}
