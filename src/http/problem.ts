import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';

/** One fault in the input. */
export class ProblemFieldDto {
  @ApiProperty({ description: 'A JSON pointer into the body, or /query/…, /path/…, /header/….', example: '/name' })
  pointer: string;

  @ApiProperty({ example: 'role_name_taken' })
  code: string;

  @ApiProperty({ example: 'Another role of this tenant has this name.' })
  message: string;
}

/** An error as RFC 9457 has it. */
export class ProblemDto {
  @ApiProperty({
    description: 'Names the kind of problem; the same as `code`.',
    example: 'urn:tenantry:problem:role_name_taken',
  })
  type: string;

  @ApiProperty({ description: 'The HTTP status in words.', example: 'Conflict' })
  title: string;

  @ApiProperty({ example: 409, type: 'integer' })
  status: number;

  @ApiProperty({ example: 'Another role of this tenant has this name.' })
  detail: string;

  @ApiProperty({
    description: 'The path of the request.',
    example: '/v1/tenants/0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e01/roles',
  })
  instance: string;

  @ApiProperty({ description: 'Stable; listed in docs/errors.md.', example: 'role_name_taken' })
  code: string;

  @ApiProperty({ description: 'Name it when you ask for help.', example: '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e02' })
  requestId: string;

  @ApiPropertyOptional({ type: [ProblemFieldDto] })
  errors?: ProblemFieldDto[];
}
