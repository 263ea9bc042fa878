import { type DynamicModule, Global, Module } from '@nestjs/common';
import { CustomPrismaModule } from 'nestjs-prisma';
import { Env } from '../config/env';
import { MonitorDb } from './monitor-db';
import { PlatformDb } from './platform-db';
import type { PoolName } from './pool-name';
import { type DatabaseUrls, Pools } from './pools';
import { createPrismaClient } from './prisma-client';
import { APP_CLIENT, PLATFORM_CLIENT, PrismaService } from './prisma.service';
import { ReplicaReads } from './replica-reads';
import { TenantDb } from './tenant-db';

/** The pools, alone, so that the client modules below can ask for them. */
@Global()
@Module({})
class PoolsModule {
  static forRoot(urls: DatabaseUrls): DynamicModule {
    return {
      module: PoolsModule,
      providers: [{ provide: Pools, useFactory: (env: Env) => Pools.open(urls, env), inject: [Env] }],
      exports: [Pools],
    };
  }
}

const clientModule = (name: string, pool: PoolName): DynamicModule =>
  CustomPrismaModule.forRootAsync({
    name,
    useFactory: (pools: Pools, env: Env) => createPrismaClient(pools[pool], env),
    inject: [Pools, Env],
  });

/** The doors to the database: TenantDb and PlatformDb over one shared PrismaService, and MonitorDb for statistics. */
@Global()
@Module({})
export class DatabaseModule {
  static forRoot(urls: DatabaseUrls): DynamicModule {
    return {
      module: DatabaseModule,
      imports: [PoolsModule.forRoot(urls), clientModule(APP_CLIENT, 'app'), clientModule(PLATFORM_CLIENT, 'platform')],
      providers: [
        PrismaService,
        ReplicaReads,
        TenantDb,
        PlatformDb,
        { provide: MonitorDb, useFactory: () => new MonitorDb(urls.monitor) },
      ],
      exports: [PrismaService, TenantDb, PlatformDb, MonitorDb, PoolsModule],
    };
  }
}
