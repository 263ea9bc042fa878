// The usual stack: what tutorials lead to. Express, jose verifying the token of each request, class-validator for what
// comes in, class-transformer for what goes out, and Prisma with the row-level security extension of its documentation:
// a transaction for each query (prisma-client-extensions, row-level-security). It connects as Tenantry's restricted login,
// to the same schema with the same policies. It looks up no session and no permission.
// Started by servers.mjs with POSTGRES_URL and JWKS_URL; it sends its URL to its parent once it listens.
import 'reflect-metadata';
import { PrismaPg } from '@prisma/adapter-pg';
import prismaClient from '@prisma/client';
import { Expose, plainToInstance } from 'class-transformer';
import { IsEmail, IsString, MaxLength, validate } from 'class-validator';
import express from 'express';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { v7 as newId } from 'uuid';
import { program } from './program.mjs';

/** As many as Tenantry's pool for tenants (POSTGRES_POOL_SIZE). */
const POOL_SIZE = 10;

const { normalizeName } = program('common/text');
const jwks = createLocalJWKSet(await (await fetch(process.env.JWKS_URL)).json());
const prisma = new prismaClient.PrismaClient({
  adapter: new PrismaPg({ connectionString: process.env.POSTGRES_URL, max: POOL_SIZE }),
});

/** The documented extension: each operation in a transaction that names the tenant first. */
const ofTenant = (tenantId) =>
  prisma.$extends({
    query: {
      $allModels: {
        async $allOperations({ args, query }) {
          const [, result] = await prisma.$transaction([
            prisma.$executeRaw`SELECT set_config('app.tenant_id', ${tenantId}, true)`,
            query(args),
          ]);
          return result;
        },
      },
    },
  });

class UserDto {}
for (const field of ['id', 'email', 'name', 'status', 'version', 'createdAt', 'updatedAt']) {
  Expose()(UserDto.prototype, field);
}

class EventDto {}
for (const field of [
  'id',
  'occurredAt',
  'action',
  'result',
  'actor',
  'target',
  'before',
  'after',
  'address',
  'userAgent',
  'requestId',
]) {
  Expose()(EventDto.prototype, field);
}

class CreateUserDto {}
IsEmail()(CreateUserDto.prototype, 'email');
IsString()(CreateUserDto.prototype, 'name');
MaxLength(100)(CreateUserDto.prototype, 'name');

const toDto = (rows) => plainToInstance(UserDto, rows, { excludeExtraneousValues: true });

const app = express();
app.use(express.json());
app.use('/v1/tenants/:tenantId', async (request, response, next) => {
  const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
  try {
    const options = { issuer: 'tenantry', audience: 'tenantry', algorithms: ['ES256'] };
    request.caller = (await jwtVerify(token, jwks, options)).payload;
  } catch {
    response.status(401).json({ title: 'Unauthorized' });
    return;
  }
  request.db = ofTenant(request.params.tenantId);
  next();
});

app.get('/v1/tenants/:tenantId/users/:userId', async (request, response) => {
  const { tenantId, userId } = request.params;
  const user = await request.db.membership.findUnique({ where: { tenantId_id: { tenantId, id: userId } } });
  if (user) response.json(toDto(user));
  else response.status(404).json({ title: 'Not Found' });
});

app.get('/v1/tenants/:tenantId/users', async (request, response) => {
  const limit = Number(request.query.limit);
  const rows = await request.db.membership.findMany({
    where: { tenantId: request.params.tenantId },
    orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
    take: limit + 1,
  });
  response.json(pageOf(rows, limit, 'createdAt', UserDto));
});

app.get('/v1/tenants/:tenantId/audit-events', async (request, response) => {
  const limit = Number(request.query.limit);
  const rows = await request.db.auditEvent.findMany({
    where: { tenantId: request.params.tenantId },
    orderBy: [{ occurredAt: 'desc' }, { id: 'desc' }],
    take: limit + 1,
  });
  const events = rows.map(({ actorType, actorUserId, targetType, targetId, ...event }) => ({
    ...event,
    actor: { type: actorType, userId: actorUserId },
    target: targetType && targetId ? { type: targetType, id: targetId } : null,
  }));
  response.json(pageOf(events, limit, 'occurredAt', EventDto));
});

function pageOf(rows, limit, order, Dto) {
  const data = rows.slice(0, limit);
  const last = data.at(-1);
  const nextCursor =
    rows.length > limit ? Buffer.from(JSON.stringify([order, last[order], last.id])).toString('base64url') : null;
  return { data: plainToInstance(Dto, data, { excludeExtraneousValues: true }), page: { nextCursor } };
}

app.post('/v1/tenants/:tenantId/users', async (request, response) => {
  const { tenantId } = request.params;
  const input = plainToInstance(CreateUserDto, request.body);
  if ((await validate(input)).length > 0) {
    response.status(400).json({ title: 'Bad Request' });
    return;
  }
  const { email, name } = input;
  const [account] =
    await prisma.$queryRaw`SELECT user_id AS id FROM identity.ensure_user(${newId()}::uuid, ${email}, ${name})`;
  const user = await request.db.membership.create({
    data: { tenantId, id: newId(), userId: account.id, email, name, nameKey: normalizeName(name) },
  });
  await request.db.auditEvent.create({
    data: {
      tenantId,
      id: newId(),
      occurredAt: new Date(),
      action: 'user.added',
      result: 'success',
      actorType: 'user',
      actorAccountId: request.caller.sub,
      targetType: 'User',
      targetId: user.id,
      after: toDto(user),
      address: request.ip,
    },
  });
  response.status(201).json(toDto(user));
});

const server = app.listen(0, '127.0.0.1', (error) => {
  if (error) throw error;
  process.send({ url: `http://127.0.0.1:${server.address().port}` });
});
process.on('disconnect', () => process.exit()); // the parent is gone
