import type { Socket } from 'node:net';
import pg from 'pg';

/** What pg.Connection has and its types do not tell (pg 8.23.1; package.json pins it). */
interface Internals {
  stream: Socket;
  ssl: unknown;
  connect(portOrSocket: number | string, host?: string): void;
  attachListeners(stream: Socket): void;
  upgradeToSSL(host: string | undefined, onError: (error: Error) => void): void;
}

/** `sslmode=prefer`: pg gives up on a server without TLS; this goes on in plain text on the same socket, as libpq does. */
export class PreferTlsConnection extends pg.Connection {
  connect(portOrSocket: number | string, host?: string): void {
    const self = this as unknown as Internals;
    (pg.Connection.prototype as unknown as Internals).connect.call(this, portOrSocket, host);
    const { stream } = self;
    stream.removeAllListeners('data'); // pg's own way with the answer
    stream.once('data', (answer: Buffer) => {
      const word = answer.toString('latin1');
      if (word === 'S') return self.upgradeToSSL(host, (error) => this.emit('error', error));
      if (word !== 'N') {
        // More than one byte would have been slipped in before the encryption (CVE-2021-23222).
        stream.end();
        return this.emit('error', new Error('There was an error establishing an SSL connection'));
      }
      self.ssl = false;
      self.attachListeners(stream);
      this.emit('sslconnect'); // the client's sign to send its startup message
    });
  }
}
