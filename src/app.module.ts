import { type DynamicModule, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { ScheduleModule } from '@nestjs/schedule';
import { AccessGuard } from './access/access.guard';
import { AccessModule } from './access/access.module';
import { AuditModule } from './audit/audit.module';
import { AuthModule } from './auth/auth.module';
import { AuthenticationGuard } from './auth/authentication.guard';
import { ErasuresModule } from './backups/erasures/erasures.module';
import { BackupsModule } from './backups/backups.module';
import type { BackupEnv } from './config/backup-env';
import { TenantRestoresModule } from './backups/tenant-restores/tenant-restores.module';
import { ConfigModule } from './config/config.module';
import type { Env } from './config/env';
import { CredentialsModule } from './credentials/credentials.module';
import { DatabaseModule } from './database/database.module';
import type { DatabaseUrls } from './database/pools';
import { HealthModule } from './health/health.module';
import { HttpModule } from './http/http.module';
import { MonitoringModule } from './monitoring/monitoring.module';
import { RolesModule } from './roles/roles.module';
import { TenantsModule } from './tenants/tenants.module';
import { UsersModule } from './users/users.module';

/** The only list of modules. The guards run in this order: who, then may. */
@Module({})
export class AppModule {
  static forRoot(env: Env, urls: DatabaseUrls, backups: BackupEnv | undefined): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ConfigModule.forRoot(env),
        DatabaseModule.forRoot(urls),
        ScheduleModule.forRoot({ cronJobs: (env.workerNumber ?? 1) === 1 }), // one worker of an instance is enough
        AccessModule,
        HttpModule,
        AuditModule,
        CredentialsModule,
        RolesModule,
        UsersModule,
        TenantsModule,
        AuthModule,
        ErasuresModule.forRoot(backups),
        BackupsModule.forRoot(backups),
        TenantRestoresModule.forRoot(backups),
        MonitoringModule,
        HealthModule,
      ],
      providers: [
        { provide: APP_GUARD, useClass: AuthenticationGuard },
        { provide: APP_GUARD, useClass: AccessGuard },
      ],
    };
  }
}
