import type pg from 'pg';

/** What pg.Client has and its types do not tell. */
interface Internals {
  connection: { stream: { destroy(): void } };
}

/**
 * Closes a connection that was never made. pg leaves the socket open after some faults (a server that refuses a client's
 * certificate under TLS 1.3 says so when the handshake is over), and its `end()` then waits for ever.
 */
export function dropConnection(client: pg.Client): void {
  (client as unknown as Internals).connection.stream.destroy();
}
