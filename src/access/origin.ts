import type { Origin } from './actor';

/** The parts of a request that say where it came from. `ip` is the socket's, unless TRUST_PROXY says that proxies may be believed. */
interface RequestLike {
  id: string;
  ip: string;
  headers: Record<string, string | string[] | undefined>;
}

const MAX_USER_AGENT_LENGTH = 300;

export function originOf(request: RequestLike): Origin {
  const userAgent = request.headers['user-agent'];
  return {
    address: request.ip,
    userAgent: (typeof userAgent === 'string' ? userAgent : '').slice(0, MAX_USER_AGENT_LENGTH),
    requestId: request.id,
  };
}
