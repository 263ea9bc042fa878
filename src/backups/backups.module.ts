import { type DynamicModule, Global, Module } from '@nestjs/common';
import { Clock } from '../common/clock';
import type { BackupEnv } from '../config/backup-env';
import { BackupScheduler } from './backup-scheduler';
import { BackupWatch } from './backup-watch';

/** Backups that happen by themselves, and how they stand. */
@Global()
@Module({})
export class BackupsModule {
  /** @param env undefined: the application has nothing to do with backups */
  static forRoot(env: BackupEnv | undefined): DynamicModule {
    return {
      module: BackupsModule,
      providers: [
        { provide: BackupWatch, useFactory: () => new BackupWatch(env?.schedule) },
        {
          provide: BackupScheduler,
          useFactory: (watch: BackupWatch, clock: Clock) => new BackupScheduler(env, watch, clock),
          inject: [BackupWatch, Clock],
        },
      ],
      exports: [BackupWatch],
    };
  }
}
