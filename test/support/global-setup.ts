import { ServerOnDemand } from './server-on-demand';
import { sweepTestDirectories } from './test-directory';

/** Signals that end a run, with their numbers: a process that they end says 128 + number. */
const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

declare global {
  var tenantryTestServer: ServerOnDemand | undefined;
}

/** Before any spec, in jest's own process. PostgreSQL starts when the first spec asks for it (postgres.ts). */
export default async function globalSetup(): Promise<void> {
  sweepTestDirectories();
  const { onDemand, url } = await ServerOnDemand.open();
  globalThis.tenantryTestServer = onDemand;
  process.env.TENANTRY_TEST_SERVER = url;
  process.env.TENANTRY_TEST_DIRECTORY = onDemand.directory;
  process.env.NODE_ENV = 'test';
  process.on('exit', () => onDemand.removeNow());
  for (const [signal, number] of Object.entries(SIGNALS)) {
    process.once(signal, () => {
      void onDemand.stop().finally(() => process.exit(128 + number));
    });
  }
}
