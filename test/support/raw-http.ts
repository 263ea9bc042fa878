import { request, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';

/** An answer as it came. */
export interface RawAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

interface RawRequest {
  method?: string;
  headers?: Record<string, string>;
  /** Sent byte for byte, JSON unless a header says otherwise. */
  body?: string;
  /** The body ends here without an end, as from a caller who is slow. */
  isUnfinished?: boolean;
}

/** Sends what fetch and supertest refuse to send: TRACE, URLs that cannot be decoded, bodies that are no JSON or never end. */
export function sendRaw(
  url: string,
  path: string,
  { method = 'GET', headers = {}, body, isUnfinished = false }: RawRequest = {},
): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  const contentType = body === undefined ? {} : { 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const call = request(
      { hostname, port, path, method, headers: { ...contentType, ...headers }, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode!, headers: response.headers, text: Buffer.concat(chunks).toString() }),
        );
      },
    );
    call.on('error', reject);
    if (isUnfinished) call.write(body);
    else call.end(body);
  });
}

/** Writes bytes on a connection of its own and gives all that comes back until the server closes it. */
export function sendBytes(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => resolve(Buffer.concat(chunks).toString()));
  });
}
