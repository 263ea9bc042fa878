import { ApiProperty } from '@nestjs/swagger';
import { sortValues } from '../common/keyset';
import { PageQuery } from '../common/page.dto';
import { Choice } from '../common/validation';

export const SESSION_SORTS = { createdAt: { column: 'createdAt', kind: 'time' } } as const;

export class ListSessionsQuery extends PageQuery {
  @Choice(sortValues(SESSION_SORTS), '-createdAt')
  sort: string = '-createdAt';
}

/** One sign-in on one device. */
export class SessionDto {
  @ApiProperty({ format: 'uuid', example: '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e41' })
  id: string;

  @ApiProperty({ description: 'Where it was started from.', example: '203.0.113.7' })
  address: string;

  @ApiProperty({ example: 'curl/8.5.0' })
  userAgent: string;

  @ApiProperty({ description: 'Is it the one that asks?', example: true })
  current: boolean;

  @ApiProperty({ format: 'date-time', example: '2026-11-23T10:15:00.000Z' })
  createdAt: string;

  @ApiProperty({ format: 'date-time', description: 'When it was last refreshed.', example: '2026-11-23T10:25:00.000Z' })
  lastUsedAt: string;

  @ApiProperty({
    format: 'date-time',
    description: 'When it ends, however much it is used.',
    example: '2026-12-23T10:15:00.000Z',
  })
  expiresAt: string;
}
