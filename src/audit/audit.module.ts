import { Global, Module } from '@nestjs/common';
import { AuditEventsController } from './audit-events.controller';
import { AuditEventsRepository } from './audit-events.repository';
import { AuditEventsService } from './audit-events.service';
import { AuditLog } from './audit-log';
import { DenialRecorder } from './denial-recorder';
import { PlatformAuditEventsController } from './platform-audit-events.controller';

/** The audit trail: written by every feature, read by those who may. */
@Global()
@Module({
  controllers: [AuditEventsController, PlatformAuditEventsController],
  providers: [AuditLog, AuditEventsRepository, AuditEventsService, DenialRecorder],
  exports: [AuditLog],
})
export class AuditModule {}
