/** One server of a URL; a host that begins with `/` is the directory of a unix socket. */
export interface HostAddress {
  host: string;
  port: number;
}

/** The parts of a PostgreSQL URL (manual, "Connection URIs"), decoded. */
export interface PostgresUrl {
  user: string | undefined;
  password: string | undefined;
  hosts: HostAddress[];
  database: string | undefined;
  parameters: Map<string, string>;
}

const SHAPE = /^postgres(?:ql)?:\/\/(?:([^/?#]*)@)?([^/?#@]*)(?:\/([^/?#]*))?(?:\?([^#]*))?$/;
const HOST = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^:[\]]*))(?::(\d*))?$/;
const DEFAULT_PORT = 5432;
const MAX_PORT = 65_535;
/** What stands in a password as it is breaks a URL. */
export const POSTGRES_URL_ADVICE =
  'it looks like postgresql://user:password@host:5432/database; in a password, percent-encode what is neither letter nor digit';

/** @returns undefined when it is no URL of PostgreSQL, several hosts (`h1:5432,h2:5433`) included */
export function readPostgresUrl(text: string): PostgresUrl | undefined {
  const [, userinfo, authority = '', path, query = ''] = SHAPE.exec(text) ?? [];
  if (!SHAPE.test(text)) return undefined;
  try {
    const parameters = new Map(query.split('&').filter(Boolean).map(readParameter));
    const hosts = readHosts(authority, parameters.get('host'), parameters.get('port'));
    if (!hosts) return undefined;
    const colon = userinfo?.indexOf(':') ?? -1;
    const user = colon < 0 ? userinfo : userinfo?.slice(0, colon);
    const password = colon < 0 ? undefined : userinfo?.slice(colon + 1);
    return {
      user: parameters.get('user') ?? decoded(user),
      password: parameters.get('password') ?? decoded(password),
      hosts,
      database: parameters.get('dbname') ?? decoded(path),
      parameters: new Map([...parameters].filter(([name]) => !PARTS.has(name))),
    };
  } catch (error) {
    if (error instanceof URIError) return undefined; // a lone % sign
    throw error;
  }
}

export function writePostgresUrl({ user, password, hosts, database, parameters }: PostgresUrl): string {
  const login = user === undefined ? '' : encodeURIComponent(user);
  const secret = password === undefined ? '' : `:${encodeURIComponent(password)}`;
  const bySocket = hosts.some(({ host }) => host.startsWith('/'));
  const all = new Map(parameters);
  if (bySocket) all.set('host', hosts.map(({ host }) => host).join(','));
  if (bySocket && hosts.some(({ port }) => port !== DEFAULT_PORT)) {
    all.set('port', hosts.map(({ port }) => port).join(','));
  }
  // Where sockets stand in ?host=, some readers of URLs want a host all the same: without one it could hold no user.
  const authority = bySocket ? 'localhost' : hosts.map(writeHost).join(',');
  const query = [...all].map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&');
  const path = database === undefined ? '' : `/${encodeURIComponent(database)}`;
  return `postgresql://${login || secret ? `${login}${secret}@` : ''}${authority}${path}${query && `?${query}`}`;
}

/** Parameters that say what the URL's other parts say, and win over them. */
const PARTS = new Set(['user', 'password', 'dbname', 'host', 'port']);

function readParameter(pair: string): [string, string] {
  const [name = '', ...value] = pair.split('=');
  return [decodeURIComponent(name), decodeURIComponent(value.join('='))];
}

function readHosts(authority: string, names: string | undefined, ports: string | undefined): HostAddress[] | undefined {
  const given = authority.split(',').map((part) => HOST.exec(part));
  if (given.includes(null)) return undefined;
  const named = names?.split(',') ?? given.map((match) => decodeURIComponent(match![1] ?? match![2] ?? ''));
  const portList = ports?.split(',') ?? given.map((match) => match![3] ?? '');
  if (portList.length !== 1 && portList.length !== named.length) return undefined;
  const hosts = named.map((host, index) => ({
    host: host || 'localhost',
    port: Number((portList.length === 1 ? portList[0] : portList[index]) || DEFAULT_PORT),
  }));
  return hosts.every(({ port }) => Number.isInteger(port) && port >= 1 && port <= MAX_PORT) ? hosts : undefined;
}

const writeHost = ({ host, port }: HostAddress): string =>
  `${host.includes(':') ? `[${host}]` : encodeURIComponent(host)}:${port}`;

const decoded = (text: string | undefined): string | undefined => (text ? decodeURIComponent(text) : undefined);
