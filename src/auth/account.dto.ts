import { ApiProperty } from '@nestjs/swagger';
import { sortValues } from '../common/keyset';
import { PageQuery } from '../common/page.dto';
import { Choice, Email, OneOf, Secret, Text } from '../common/validation';

export const ACCOUNT_SORTS = { createdAt: { column: 'createdAt', kind: 'time' } } as const;

const ACCOUNT_STATUSES = ['active', 'disabled'] as const;
type AccountStatus = (typeof ACCOUNT_STATUSES)[number];

export class ListAccountsQuery extends PageQuery {
  @Choice(sortValues(ACCOUNT_SORTS), '-createdAt')
  sort: string = '-createdAt';

  @Email({ optional: true, description: 'Only the account of this address.' })
  email?: string;

  @OneOf(ACCOUNT_STATUSES, { optional: true })
  status?: AccountStatus;
}

/** A JSON merge patch (RFC 7396): absent keeps. */
export class UpdateAccountDto {
  @Text({ maxLength: 200, optional: true, example: 'Ada Lovelace' })
  name?: string;

  @OneOf(ACCOUNT_STATUSES, { optional: true, description: '`disabled` ends all sessions.' })
  status?: AccountStatus;

  @Secret({
    maxLength: 1_024,
    optional: true,
    description: 'A new password, 15 to 128 characters. Ends all sessions.',
    example: 'violet lantern orbit',
  })
  password?: string;
}

/** A person's account, above tenants. */
export class AccountDto {
  @ApiProperty({ format: 'uuid', example: '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e31' })
  id: string;

  @ApiProperty({ format: 'email', example: 'ada@example.com' })
  email: string;

  @ApiProperty({ example: 'Ada Lovelace' })
  name: string;

  @ApiProperty({ enum: ACCOUNT_STATUSES, example: 'active' })
  status: string;

  @ApiProperty({ example: false })
  platformAdministrator: boolean;

  @ApiProperty({ format: 'date-time', example: '2026-11-23T10:15:00.000Z' })
  createdAt: string;

  @ApiProperty({ format: 'date-time', example: '2026-11-23T10:15:00.000Z' })
  updatedAt: string;

  @ApiProperty({ type: 'integer', description: 'The ETag, without its quotes.', example: 1 })
  version: number;
}
