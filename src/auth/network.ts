import { isIPv6 } from 'node:net';

const IPV6_GROUPS = 8;
/** A household or a server gets a /64 (RFC 6177), and with it 2^64 addresses. */
const NETWORK_GROUPS = 4;

/** What counts as one place on the net: an IPv4 address, or the /64 around an IPv6 one. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped) return mapped;
  if (!isIPv6(address)) return address;
  const groups = expand(address.split('%', 1)[0] ?? '');
  return `${groups.slice(0, NETWORK_GROUPS).join(':')}::/64`;
}

function expand(address: string): string[] {
  const [head = '', tail] = address.split('::');
  const left = head.split(':').filter(Boolean);
  const right = tail?.split(':').filter(Boolean) ?? [];
  const zeros = Array.from({ length: IPV6_GROUPS - left.length - right.length }, () => '0');
  return [...left, ...zeros, ...right].map((group) => group.toLowerCase().replace(/^0+(?=.)/, ''));
}
