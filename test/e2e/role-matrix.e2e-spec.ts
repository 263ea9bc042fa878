import { PERMISSIONS } from '../../src/access/permissions';
import { SYSTEM_ROLE_KEYS, SYSTEM_ROLES, type SystemRoleKey } from '../../src/access/system-roles';
import { permissionOf } from '../../src/http/openapi-permissions';
import { routesOf } from '../../src/http/openapi-routes';
import { createDocument } from '../../src/openapi';
import { createTestApp, type TestApp } from '../support/app';
import { play, SCENARIOS, setStage, type Stage } from '../support/scenarios';
import { newUser, type UserClient } from '../support/tenant';

/** A version that nothing has: what a role may do gets this far, and changes nothing. */
const NO_VERSION = '"999999"';

let app: TestApp;
let stage: Stage;
let holders: Record<SystemRoleKey, UserClient>;
let permissions: Map<string, { action: string; subject: string } | undefined>;
beforeAll(async () => {
  app = await createTestApp();
  stage = await setStage(app);
  const [member, viewer] = await Promise.all([
    newUser(app, stage.tenant, { roles: ['member'] }),
    newUser(app, stage.tenant, { roles: ['viewer'] }),
  ]);
  holders = { owner: stage.owner, admin: stage.admin, member, viewer };
  permissions = new Map(
    routesOf(createDocument(app.nest)).map(({ method, path, operation }) => [
      `${method.toUpperCase()} ${path}`,
      permissionOf(operation),
    ]),
  );
});
afterAll(() => app?.close());

/** Whether the role gives what the operation demands, on every row (docs/access-control.md; a unit test compares it with the code). */
function gives(role: SystemRoleKey, { action, subject }: { action: string; subject: string }): boolean {
  return SYSTEM_ROLES[role].permissions.some(
    (rule) => rule.action === action && rule.subject === subject && !rule.conditions,
  );
}

const inTenants = Object.keys(SCENARIOS).filter((operation) => operation.includes('{tenantId}'));

describe('what a system role may do over HTTP is what the table of the docs says:', () => {
  it.each(SYSTEM_ROLE_KEYS.flatMap((role) => inTenants.map((operation) => ({ role, operation }))))(
    '$role, $operation',
    async ({ role, operation }) => {
      const permission = permissions.get(operation)!;
      const call = play(stage, operation, { caller: holders[role] });
      if (permission.subject in PERMISSIONS && gives(role, permission)) {
        expect([SCENARIOS[operation]!.status, 412]).toContain((await call.set('if-match', NO_VERSION)).status);
      } else {
        await call.expectProblem(403, 'permission_missing');
      }
    },
  );
});
