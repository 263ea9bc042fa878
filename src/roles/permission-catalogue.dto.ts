import { ApiProperty } from '@nestjs/swagger';
import { PERMISSIONS, SUBJECT_FIELDS, TENANT_SUBJECTS } from '../access/permissions';

export class CatalogueActionDto {
  @ApiProperty({ example: 'invite' })
  action: string;

  @ApiProperty({ example: 'Add users' })
  description: string;
}

export class CatalogueSubjectDto {
  @ApiProperty({ enum: TENANT_SUBJECTS, example: 'User' })
  subject: string;

  @ApiProperty({ type: [CatalogueActionDto] })
  actions: CatalogueActionDto[];

  @ApiProperty({ type: [String], description: 'What `fields` of a permission may name.', example: ['id', 'name'] })
  fields: string[];

  @ApiProperty({
    type: [String],
    description: 'What `conditions` of a permission may name.',
    example: ['id', 'status'],
  })
  conditions: string[];
}

export class CatalogueDto {
  @ApiProperty({ type: [CatalogueSubjectDto] })
  data: CatalogueSubjectDto[];
}

/** access/permissions.ts as the API shows it. */
export function catalogue(): CatalogueDto {
  return {
    data: TENANT_SUBJECTS.map((subject) => ({
      subject,
      actions: Object.entries(PERMISSIONS[subject]).map(([action, description]) => ({ action, description })),
      fields: [...SUBJECT_FIELDS[subject].fields],
      conditions: [...SUBJECT_FIELDS[subject].conditions],
    })),
  };
}
