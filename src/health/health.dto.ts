import { ApiProperty } from '@nestjs/swagger';
import { HEALTH_EXAMPLE } from './health.example';

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
    description:
      'By check; what a check found stands beside its status, or a message where there is nothing to look at.',
    additionalProperties: {
      type: 'object',
      required: ['status'],
      properties: { status: { type: 'string', enum: ['up', 'degraded', 'down'] } },
      additionalProperties: true,
    },
    example: HEALTH_EXAMPLE,
  })
  details: Record<string, object>;
}
