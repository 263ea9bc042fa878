import './global-setup';

/** After all specs, failed ones too. */
export default async function globalTeardown(): Promise<void> {
  await globalThis.tenantryTestServer?.stop();
}
