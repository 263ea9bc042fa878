import type { DatabaseSizeDto } from './database-size.dto';
import type { DatabaseSize, SizeOfPart } from './database-size.service';

/** Tables and tenants in an answer; the metrics and the terminal have lists of their own lengths. */
const LARGEST_SHOWN = 20;

export function toDatabaseSizeDto(size: DatabaseSize): DatabaseSizeDto {
  return {
    bytes: size.bytes,
    growthBytesPerDay: growthDto(size),
    diskBoundBytes: size.boundBytes,
    daysUntilFull: size.daysUntilFull,
    tables: size.tables.slice(0, LARGEST_SHOWN).map((part) => ({ table: part.name, ...partDto(part) })),
    tenants: size.tenants.slice(0, LARGEST_SHOWN).map((part) => ({ tenantId: part.name, ...partDto(part) })),
    sampledAt: size.sampledAt?.toISOString() ?? null,
  };
}

const partDto = (part: SizeOfPart) => ({ bytes: part.bytes, rows: part.rows, growthBytesPerDay: growthDto(part) });

const growthDto = ({ growth }: Pick<SizeOfPart, 'growth'>) => ({
  last7Days: growth.last7Days,
  last30Days: growth.last30Days,
});
