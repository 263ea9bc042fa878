import { Test } from '@nestjs/testing';
import { ConfigModule } from '../../src/config/config.module';
import { Env, readEnv } from '../../src/config/env';
import { DatabaseModule } from '../../src/database/database.module';
import { PlatformDb } from '../../src/database/platform-db';
import { Pools, type DatabaseUrls } from '../../src/database/pools';
import { TenantDb } from '../../src/database/tenant-db';

/** The doors to a database as the application has them, without the rest of it. */
export interface Doors {
  tenants: TenantDb;
  platform: PlatformDb;
  pools: Pools;
  close(): Promise<void>;
}

/** Opens them with the configuration's defaults but for `overrides`. */
export async function openDoors(urls: DatabaseUrls, overrides: Partial<Env> = {}): Promise<Doors> {
  const env = Object.assign(readEnv({ NODE_ENV: 'test' }), overrides);
  const imports = [ConfigModule.forRoot(env), DatabaseModule.forRoot(urls)];
  const module = await Test.createTestingModule({ imports }).compile();
  await module.init();
  return {
    tenants: module.get(TenantDb),
    platform: module.get(PlatformDb),
    pools: module.get(Pools),
    close: () => module.close(),
  };
}
