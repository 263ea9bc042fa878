import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { StartupError } from '../common/errors';

const MODES = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
type TlsMode = (typeof MODES)[number];

export const TLS_PARAMETERS = ['ssl', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'sslpassword', 'sslnegotiation'];

/** `sslrootcert=system`: the authorities that Node trusts. */
const SYSTEM_AUTHORITIES = 'system';
/** libpq's default. */
const DEFAULT_MODE: TlsMode = 'prefer';

/** How connections of one target are encrypted; sslmode as libpq means it (manual, "SSL Support"). */
export class TlsSettings {
  constructor(
    readonly mode: TlsMode,
    readonly isDirect: boolean,
    private readonly authority: PemFile | undefined,
    private readonly certificate: PemFile | undefined,
    private readonly key: PemFile | undefined,
    private readonly passphrase: string | undefined,
  ) {}

  /** Is a server without TLS refused? */
  get isRequired(): boolean {
    return this.mode !== 'disable' && this.mode !== 'prefer';
  }

  /** For one connection: the files are read anew, so that renewed certificates hold from the next connection on. */
  options(): ConnectionOptions | false {
    if (this.mode === 'disable') return false;
    // As in libpq, `require` with an authority of one's own checks the server's certificate against it.
    const verifies = this.mode === 'verify-full' || this.mode === 'verify-ca' || this.authority !== undefined;
    return {
      rejectUnauthorized: verifies && this.mode !== 'prefer',
      ...(this.mode !== 'verify-full' && { checkServerIdentity: () => undefined }),
      ...(this.authority && { ca: this.authority.read() }),
      ...(this.certificate && { cert: this.certificate.read() }),
      ...(this.key && { key: this.key.read() }),
      ...(this.passphrase !== undefined && { passphrase: this.passphrase }),
    };
  }
}

/** A file that is read before each use. While it cannot be, as in the middle of its renewal, what it held last is used. */
class PemFile {
  private last: string;

  constructor(
    private readonly path: string,
    variable: string,
    parameter: string,
  ) {
    try {
      this.last = readFileSync(path, 'utf8');
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new StartupError(`${variable}: the file of ${parameter} cannot be read (${code}).`, { cause: error });
    }
  }

  read(): string {
    try {
      this.last = readFileSync(this.path, 'utf8');
    } catch {
      return this.last;
    }
    return this.last;
  }
}

/** @throws StartupError naming the variable and the parameter */
export function readTls(parameters: ReadonlyMap<string, string>, variable: string): TlsSettings {
  const refuse = (reason: string): never => {
    throw new StartupError(`${variable}: ${reason}.`);
  };
  const file = (parameter: string): PemFile | undefined => {
    const path = parameters.get(parameter);
    return path ? new PemFile(path, variable, parameter) : undefined;
  };
  const system = parameters.get('sslrootcert') === SYSTEM_AUTHORITIES;
  const mode =
    readMode(parameters, system ? 'verify-full' : DEFAULT_MODE) ?? refuse(`sslmode must be one of ${MODES.join(', ')}`);
  if (system && mode !== 'verify-full') refuse('sslrootcert=system needs sslmode=verify-full');
  const authority = system ? undefined : file('sslrootcert');
  if (mode === 'verify-ca' && !authority) refuse('sslmode=verify-ca needs sslrootcert');
  if (parameters.has('sslcert') !== parameters.has('sslkey')) refuse('sslcert and sslkey must be given together');
  const negotiation = parameters.get('sslnegotiation') ?? 'postgres';
  if (negotiation !== 'postgres' && negotiation !== 'direct') refuse('sslnegotiation must be postgres or direct');
  const isDirect = negotiation === 'direct';
  if (isDirect && (mode === 'disable' || mode === 'prefer'))
    refuse('sslnegotiation=direct needs sslmode=require or more');
  return new TlsSettings(mode, isDirect, authority, file('sslcert'), file('sslkey'), parameters.get('sslpassword'));
}

function readMode(parameters: ReadonlyMap<string, string>, fallback: TlsMode): TlsMode | undefined {
  // As in libpq, JDBC's ssl=true means sslmode=require.
  const given = parameters.get('sslmode') ?? (parameters.get('ssl') === 'true' ? 'require' : undefined);
  return given === undefined ? fallback : MODES.find((mode) => mode === given);
}
