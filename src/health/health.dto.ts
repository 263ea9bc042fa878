import { ApiProperty } from '@nestjs/swagger';

/** What anybody may know. */
export class HealthStatusDto {
  @ApiProperty({ enum: ['ok'], example: 'ok' })
  status: 'ok';
}

/** What Terminus found, check by check. */
export class HealthDetailDto {
  @ApiProperty({ enum: ['ok', 'degraded', 'error', 'shutting_down'], example: 'ok' })
  status: string;

  @ApiProperty({
    type: 'object',
    additionalProperties: { type: 'object', additionalProperties: true },
    example: { pool_app: { status: 'up', used: 1, idle: 2, waiting: 0, max: 10 } },
  })
  details: Record<string, object>;
}
