import { type DynamicModule, Module } from '@nestjs/common';
import { AuthModule } from '../../auth/auth.module';
import type { BackupEnv } from '../../config/backup-env';
import { ErasuresController } from './erasures.controller';
import { ErasuresRepository } from './erasures.repository';
import { ErasuresService } from './erasures.service';
import { ReceiptStore } from './receipt-store';

@Module({})
export class ErasuresModule {
  /** @param backups undefined: this application has nothing to do with backups, and keeps receipts in the database alone */
  static forRoot(backups: BackupEnv | undefined): DynamicModule {
    return {
      module: ErasuresModule,
      imports: [AuthModule],
      controllers: [ErasuresController],
      providers: [
        ErasuresRepository,
        ErasuresService,
        ...(backups ? [{ provide: ReceiptStore, useFactory: () => ReceiptStore.open(backups) }] : []),
      ],
    };
  }
}
