import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { CustomPrismaService } from 'nestjs-prisma';
import { Env } from '../config/env';
import { Pools } from './pools';
import { createPrismaClient, type TenantryClient } from './prisma-client';
import { Reader } from './reader';

export const APP_CLIENT = 'PrismaAppClient';
export const PLATFORM_CLIENT = 'PrismaPlatformClient';

/**
 * The two Prisma clients that all modules share, one for each login. Only the doors beside this file use it:
 * TenantDb for what a tenant owns, PlatformDb for what stands above tenants.
 */
@Injectable()
export class PrismaService implements OnApplicationShutdown {
  readonly app: TenantryClient;
  readonly platform: TenantryClient;
  /** The app login on the replica; undefined when there is none. Its reads are replica-reads.ts's. */
  readonly replica: TenantryClient | undefined;
  readonly appReader: Reader;
  readonly platformReader: Reader;

  constructor(
    @Inject(APP_CLIENT) app: CustomPrismaService<TenantryClient>,
    @Inject(PLATFORM_CLIENT) platform: CustomPrismaService<TenantryClient>,
    private readonly pools: Pools,
    env: Env,
  ) {
    this.app = app.client;
    this.platform = platform.client;
    this.appReader = new Reader(app.client, pools.app);
    this.platformReader = new Reader(platform.client, pools.platform);
    this.replica = pools.replica && createPrismaClient(pools.replica, env);
  }

  /** nestjs-prisma has no shutdown hook for custom clients, and a client that was never asked does not close its pool. */
  async onApplicationShutdown(): Promise<void> {
    await Promise.all([this.app.$disconnect(), this.platform.$disconnect(), this.replica?.$disconnect()]);
    await this.pools.end();
  }
}
