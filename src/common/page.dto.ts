import { ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsInt, IsString, Max, MaxLength, Min, ValidateIf } from 'class-validator';

export const DEFAULT_PAGE_SIZE = 20;
export const MAX_PAGE_SIZE = 100;
/** A key of 200 control characters, each six bytes of JSON, makes one of 1,700. */
const MAX_CURSOR_LENGTH = 2_000;

/** What every list takes. */
export class PageQuery {
  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: MAX_PAGE_SIZE, default: DEFAULT_PAGE_SIZE })
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(MAX_PAGE_SIZE)
  limit: number = DEFAULT_PAGE_SIZE;

  /** Opaque: the `nextCursor` of the page before. */
  @ApiPropertyOptional({ type: 'string', description: 'The `nextCursor` of the page before.' })
  @ValidateIf((_, value) => value !== undefined)
  @IsString()
  @MaxLength(MAX_CURSOR_LENGTH)
  cursor?: string;
}

/** What every list answers. */
export interface Page<Item> {
  data: Item[];
  page: { nextCursor: string | null };
}
