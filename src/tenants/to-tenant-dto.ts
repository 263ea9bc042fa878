import type { TenantDto } from './tenant.dto';
import type { TenantRow } from './tenants.repository';

/** What of a tenant may leave the house. */
export function toTenantDto(row: TenantRow): TenantDto {
  return {
    id: row.id,
    slug: row.slug,
    name: row.name,
    status: row.status,
    ...(row.deletedAt && { deletedAt: row.deletedAt.toISOString() }),
    ...(row.purgeAfter && { purgeAfter: row.purgeAfter.toISOString() }),
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
    version: row.version,
  };
}
