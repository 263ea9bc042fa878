import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { PlatformDb } from '../database/platform-db';
import { CATALOGUE } from './permissions';

const keyOf = ({ subject, action }: { subject: string; action: string }): string => `${subject}:${action}`;

/**
 * Keeps in app.permissions, to which stored roles refer, all that access/permissions.ts lists. It removes nothing: in a
 * rolling update an older instance must not take away what a newer one brought. A migration removes what is gone for good.
 */
@Injectable()
export class PermissionCatalogue implements OnApplicationBootstrap {
  constructor(private readonly db: PlatformDb) {}

  async onApplicationBootstrap(): Promise<void> {
    await this.db.run(async (tx) => {
      await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtext('tenantry:permission-catalogue'))`;
      const stored = new Map((await tx.permission.findMany()).map((entry) => [keyOf(entry), entry.description]));
      for (const entry of CATALOGUE.filter((wanted) => stored.get(keyOf(wanted)) !== wanted.description)) {
        const { subject, action, description } = entry;
        await tx.permission.upsert({
          where: { subject_action: { subject, action } },
          create: entry,
          update: { description },
        });
      }
    });
  }
}
