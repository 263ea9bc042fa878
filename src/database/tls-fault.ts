/** Node's codes for a certificate or a handshake that fails, and pg's words for a server without TLS. */
export function isTlsFault({ message, code }: NodeJS.ErrnoException): boolean {
  return (
    (typeof code === 'string' && /CERT|SIGNED|ISSUER|^ERR_(TLS|SSL|OSSL)|^EPROTO/.test(code)) ||
    /SSL connection/.test(message)
  );
}
