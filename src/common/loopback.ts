/** This machine itself, by RFC 6761 and RFC 5735. */
export function isLoopback(host: string): boolean {
  return /^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|::1)$/i.test(host);
}
