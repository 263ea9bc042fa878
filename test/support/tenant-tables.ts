import { Prisma } from '@prisma/client';
import { GLOBAL_TABLES } from '../../src/database/login-check';

/** The schemas whose tables belong to tenants. */
export const TENANT_SCHEMAS = ['app', 'audit'];

export const TENANTS = 'app.tenants';

/** The tables of schema.prisma as `schema.table`. The name of a test must stand before a database can be asked. */
const declaredTables = Prisma.dmmf.datamodel.models.map((model) => `${model.schema}.${model.dbName}`);

/** Every table that tenants own. tenant-isolation.int-spec.ts asserts that the database has no other. */
export const TENANT_TABLES = declaredTables
  .filter((name) => TENANT_SCHEMAS.includes(name.split('.')[0]!) && !GLOBAL_TABLES.includes(name))
  .toSorted();

export const IDENTITY_TABLES = declaredTables.filter((name) => name.startsWith('identity.')).toSorted();

/** The references that schema.prisma declares from a table to tables of tenants, that to the tenant itself aside. */
export function parentsOf(name: string): { target: string; columns: string[] }[] {
  const { models } = Prisma.dmmf.datamodel;
  const nameOf = (model: (typeof models)[number]): string => `${model.schema}.${model.dbName}`;
  const model = models.find((found) => nameOf(found) === name)!;
  return model.fields
    .filter((field) => field.kind === 'object' && field.relationFromFields?.length)
    .map((relation) => ({
      target: nameOf(models.find((found) => found.name === relation.type)!),
      columns: relation.relationFromFields!.map((from) => {
        const field = model.fields.find((found) => found.name === from)!;
        return field.dbName ?? field.name;
      }),
    }))
    .filter(({ target }) => target !== TENANTS && TENANT_TABLES.includes(target));
}
