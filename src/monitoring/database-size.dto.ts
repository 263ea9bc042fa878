import { ApiProperty } from '@nestjs/swagger';

const nullable = { type: 'number', nullable: true } as const;

export class GrowthDto {
  @ApiProperty({
    ...nullable,
    description: 'Bytes per day; null with less than 3.5 days of samples.',
    example: 52_428_800,
  })
  last7Days: number | null;

  @ApiProperty({ ...nullable, description: 'Bytes per day; null with less than 15 days of samples.', example: null })
  last30Days: number | null;
}

export class TableSizeDto {
  @ApiProperty({ example: 'audit.events' })
  table: string;

  @ApiProperty({ description: 'With indexes and TOAST, now.', example: 734_003_200 })
  bytes: number;

  @ApiProperty({ description: "As PostgreSQL's statistics have it.", example: 1_250_000 })
  rows: number;

  @ApiProperty({ type: GrowthDto })
  growthBytesPerDay: GrowthDto;
}

export class TenantSizeDto {
  @ApiProperty({ format: 'uuid', example: '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e01' })
  tenantId: string;

  @ApiProperty({
    description:
      'Its part of the tables, indexes included, when sampled; of large tables it is inferred from a sample.',
    example: 104_857_600,
  })
  bytes: number;

  @ApiProperty({ description: 'In all tables, when sampled.', example: 180_000 })
  rows: number;

  @ApiProperty({ type: GrowthDto })
  growthBytesPerDay: GrowthDto;
}

/** How large the database is, and how fast it grows. */
export class DatabaseSizeDto {
  @ApiProperty({
    description: 'Of the database on the disk, now; without write-ahead log and backups.',
    example: 1_073_741_824,
  })
  bytes: number;

  @ApiProperty({ type: GrowthDto })
  growthBytesPerDay: GrowthDto;

  @ApiProperty({ ...nullable, description: 'DATABASE_DISK_BOUND_BYTES; null: not set.', example: 53_687_091_200 })
  diskBoundBytes: number | null;

  @ApiProperty({
    ...nullable,
    description:
      'Until the bound is reached, by the faster of both growths. 0: it is reached. Null: no bound, too little history, or no growth.',
    example: 1003.5,
  })
  daysUntilFull: number | null;

  @ApiProperty({ type: [TableSizeDto], description: 'The 20 largest, the largest first.' })
  tables: TableSizeDto[];

  @ApiProperty({ type: [TenantSizeDto], description: 'The 20 largest, the largest first.' })
  tenants: TenantSizeDto[];

  @ApiProperty({
    type: 'string',
    format: 'date-time',
    nullable: true,
    description: 'When the newest sample was taken; null: none has been yet. One is taken each hour.',
    example: '2026-11-23T10:07:00.000Z',
  })
  sampledAt: string | null;
}
