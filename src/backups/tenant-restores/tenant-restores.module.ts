import { type DynamicModule, Module } from '@nestjs/common';
import type { BackupEnv } from '../../config/backup-env';
import { TenantRestoreRunner } from './tenant-restore-runner';
import { TenantRestoresController } from './tenant-restores.controller';
import { TenantRestoresRepository } from './tenant-restores.repository';
import { TenantRestoresService } from './tenant-restores.service';

@Module({})
export class TenantRestoresModule {
  /** @param backups undefined: this application has nothing to restore from */
  static forRoot(backups: BackupEnv | undefined): DynamicModule {
    return {
      module: TenantRestoresModule,
      controllers: [TenantRestoresController],
      providers: [
        TenantRestoresRepository,
        TenantRestoresService,
        { provide: TenantRestoreRunner, useFactory: () => new TenantRestoreRunner(backups) },
      ],
    };
  }
}
