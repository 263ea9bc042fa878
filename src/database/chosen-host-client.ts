import pg from 'pg';
import type { HostAddress } from '../common/postgres-url';
import { clientConfig } from './client-config';
import type { HostSelector } from './host-selector';

/** What pg.Client does and its types, made of overloads, cannot be overridden with. */
type AnyFunction = (...args: unknown[]) => unknown;
type ConnectCallback = (error?: Error | null, client?: unknown) => void;

/** A connection that knows where it goes. */
export interface ChosenHostConnection {
  readonly address: HostAddress;
}

/** For a pool: a connection to the host that is chosen when it is made. When it fails, the choice is in doubt. */
export function chosenHostClient(
  hosts: HostSelector,
): new (config: pg.ClientConfig) => pg.Client & ChosenHostConnection {
  return class ChosenHostClient extends pg.Client implements ChosenHostConnection {
    readonly address: HostAddress;

    constructor(config: pg.ClientConfig) {
      const address = hosts.current;
      super({ ...config, ...clientConfig(hosts.target, address) });
      this.address = address;
      this.on('error', () => hosts.doubt(address));
    }

    override connect(...args: unknown[]): never {
      const [callback] = args as [ConnectCallback]; // a pool gives one
      const told: ConnectCallback = (error, client) => {
        if (error) hosts.doubt(this.address);
        callback(error, client);
      };
      // oxlint-disable-next-line typescript/unbound-method -- applied to this at once
      return Reflect.apply(super.connect as AnyFunction, this, [told]) as never;
    }
  };
}
