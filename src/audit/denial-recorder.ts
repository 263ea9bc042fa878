import { Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { type AccessDenied, accessDenied } from '../access/access-denied';
import { regardless } from '../database/abandonment';
import { PlatformDb } from '../database/platform-db';
import { TenantDb } from '../database/tenant-db';
import { AuditLog } from './audit-log';

/** Refusals waiting to be written. Beyond that many they are counted, not kept: a flood must not fill the memory. */
const MAX_PENDING = 1_000;

/** Writes each refusal into the audit trail, beside the request and not in its way. */
@Injectable()
export class DenialRecorder implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger('Audit');
  private readonly pending = new Set<Promise<void>>();
  private unsubscribe: () => void = () => undefined;

  constructor(
    private readonly tenantDb: TenantDb,
    private readonly platformDb: PlatformDb,
    private readonly audit: AuditLog,
  ) {}

  onModuleInit(): void {
    this.unsubscribe = accessDenied.subscribe((event) => this.enqueue(event));
  }

  /** Once the last request is answered, and before the pools are closed. */
  async onApplicationShutdown(): Promise<void> {
    this.unsubscribe();
    await this.flush();
  }

  /** Resolves when every refusal so far is written. */
  async flush(): Promise<void> {
    await Promise.all(this.pending);
  }

  private enqueue(event: AccessDenied): void {
    if (this.pending.size >= MAX_PENDING) {
      this.logger.warn('More refusals than can be recorded: one is left out of the audit trail');
      return;
    }
    const written = regardless(() => this.write(event))
      .catch((error: unknown) => this.logger.error(`A refusal could not be recorded: ${String(error)}`))
      .finally(() => this.pending.delete(written));
    this.pending.add(written);
  }

  private async write({ caller, action, subject, targetId }: AccessDenied): Promise<void> {
    const entry = {
      action: 'access.denied',
      result: 'denied',
      after: { permission: `${action} ${subject}` },
      ...(targetId && { target: { type: subject, id: targetId } }),
    } as const;
    if ('tenantId' in caller) await this.tenantDb.run(caller.tenantId, (tx) => this.audit.record(tx, caller, entry));
    else await this.platformDb.run((tx) => this.audit.recordForPlatform(tx, caller, entry));
  }
}
