// Better Auth on Node's own server. Started by servers.mjs with POSTGRES_URL and BETTER_AUTH_SECRET; it sends its URL to its
// parent once it listens.
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { fromNodeHeaders, toNodeHandler } from 'better-auth/node';
import { createBetterAuth } from './better-auth-setup.mjs';

const auth = createBetterAuth(process.env.POSTGRES_URL, process.env.BETTER_AUTH_SECRET);
const { internalAdapter } = await auth.$context;
const handle = toNodeHandler(auth);

/** addMember is no route of its own: an application decides who may, and makes the user. */
async function addMember(request, response) {
  const { organizationId, email, name } = await json(request);
  const { success } = await auth.api.hasPermission({
    headers: fromNodeHeaders(request.headers),
    body: { organizationId, permissions: { member: ['create'] } },
  });
  if (!success) return response.writeHead(403).end();
  const user = await internalAdapter.createUser({ email, name, emailVerified: false });
  const member = await auth.api.addMember({ body: { userId: user.id, organizationId, role: 'member' } });
  return response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify({ ...member, user }));
}

const server = createServer((request, response) => {
  const isOurs = request.method === 'POST' && request.url === '/members';
  const answered = isOurs ? addMember(request, response) : handle(request, response);
  answered.catch((error) => {
    response.writeHead(error.statusCode ?? 500, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ message: error.message }));
  });
});
server.listen(0, '127.0.0.1', () => process.send({ url: `http://127.0.0.1:${server.address().port}` }));
process.on('disconnect', () => process.exit()); // the parent is gone
