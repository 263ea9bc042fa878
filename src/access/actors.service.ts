import { Injectable } from '@nestjs/common';
import { ForbiddenError, NotFoundError, UnauthenticatedError } from '../common/errors';
import { BoundedMap } from '../common/bounded-map';
import { accompany } from '../database/abandonment';
import { type Answer, isSameAnswer } from '../database/accompanying-check';
import { ADMINISTRATOR_PERMISSIONS, type AppAbility, buildAbility } from './ability';
import type { Actor, Caller, Origin } from './actor';
import { ActorsRepository, type LoadedActor, type LoadedRole, readAnswer } from './actors.repository';
import { ME } from './permissions';
import { type Permission, SYSTEM_ROLES, type SystemRoleKey } from './system-roles';

/** So many answers are kept: each takes some hundred bytes, and its ability is shared. */
const MAX_KNOWN = 10_000;
const MAX_ABILITIES = 1_000;

/** What was true of a session in a tenant when it was asked last. */
interface Known {
  answer: Answer;
  found: LoadedActor;
  ability: AppAbility;
}

@Injectable()
export class ActorsService {
  private readonly known = new BoundedMap<string, Known>(MAX_KNOWN);
  private readonly abilities = new BoundedMap<string, AppAbility>(MAX_ABILITIES);

  constructor(private readonly actors: ActorsRepository) {}

  /**
   * Who asks, with what they may do now.
   * @throws UnauthenticatedError when the session has ended
   * @throws NotFoundError when there is no such tenant, or the person is not in it
   * @throws ForbiddenError when the tenant or the membership is suspended
   */
  async load(sessionId: string, tenantId: string | undefined, origin: Origin): Promise<Caller | Actor> {
    accompany(undefined); // whatever was believed of the caller, this is asked now
    const key = keyOf(sessionId, tenantId);
    const answer = await this.actors.ask(sessionId, tenantId);
    const before = this.known.get(key);
    const known = before && isSameAnswer(before.answer, answer) ? before : this.read(answer);
    if (!known) {
      this.known.delete(key);
      throw new UnauthenticatedError('session_ended', 'This session has ended. Sign in again.');
    }
    this.known.set(key, known);
    return actorOf(known, sessionId, tenantId, origin);
  }

  /**
   * Who asked last in this session and tenant, for a request that only reads. Whether it is all so still is asked in the same
   * round trip as what the request reads, and before anything is answered.
   * @returns undefined when nothing is known, or nothing but a refusal
   */
  recall(sessionId: string, tenantId: string, origin: Origin): Actor | undefined {
    const known = this.known.get(keyOf(sessionId, tenantId));
    if (!known || !mayEnter(known.found)) return undefined;
    if (!this.actors.expect(known.answer, sessionId, tenantId)) return undefined;
    return actorOf(known, sessionId, tenantId, origin) as Actor;
  }

  /** Has the caller asked for anew, whoever makes the next request in this session and tenant. */
  forget({ sessionId, tenantId }: Actor): void {
    this.known.delete(keyOf(sessionId, tenantId));
  }

  private read(answer: Answer): Known | undefined {
    if (!answer) return undefined;
    const found = readAnswer(answer);
    return { answer, found, ability: this.abilityOf(found) };
  }

  /** One for all who hold the same, and who are the same where a condition may mean themselves. */
  private abilityOf({ platformRole, roles, membershipId }: LoadedActor): AppAbility {
    const permissions = [
      ...(platformRole === 'administrator' ? ADMINISTRATOR_PERMISSIONS : []),
      ...roles.flatMap(permissionsOf),
    ];
    const rules = JSON.stringify(permissions);
    const key = rules.includes(ME) ? `${membershipId} ${rules}` : rules;
    const ability = this.abilities.get(key) ?? buildAbility(permissions, membershipId ?? undefined);
    this.abilities.set(key, ability);
    return ability;
  }
}

const keyOf = (sessionId: string, tenantId: string | undefined): string => `${sessionId} ${tenantId}`;

function actorOf(
  { found, ability }: Known,
  sessionId: string,
  tenantId: string | undefined,
  origin: Origin,
): Caller | Actor {
  const isPlatformAdministrator = found.platformRole === 'administrator';
  const { accountId, email, name, membershipId: userId, roles } = found;
  if (!tenantId) return { accountId, sessionId, email, name, isPlatformAdministrator, ability, origin };
  if (!isPlatformAdministrator) assertMayEnter(found);
  else if (found.tenantStatus === null) throw new NotFoundError('tenant');
  // In full: V8 is slow at spreading an object into another.
  return { accountId, sessionId, email, name, isPlatformAdministrator, ability, origin, tenantId, userId, roles };
}

function mayEnter(found: LoadedActor): boolean {
  if (found.platformRole === 'administrator') return found.tenantStatus !== null;
  return !found.tenantDeleted && found.tenantStatus === 'active' && found.membershipStatus === 'active';
}

function assertMayEnter(found: LoadedActor): void {
  if (found.membershipId === null || found.tenantDeleted) throw new NotFoundError('tenant');
  if (found.tenantStatus !== 'active') throw new ForbiddenError('tenant_suspended', 'This tenant is suspended.');
  if (found.membershipStatus !== 'active')
    throw new ForbiddenError('membership_suspended', 'Your membership in this tenant is suspended.');
}

/** What a role permits; a system role's permissions stand in code. */
export function permissionsOf(role: Pick<LoadedRole, 'systemKey' | 'permissions'>): readonly Permission[] {
  return role.systemKey ? SYSTEM_ROLES[role.systemKey as SystemRoleKey].permissions : (role.permissions ?? []);
}
