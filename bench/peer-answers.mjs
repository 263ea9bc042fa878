/** Response schemas of the peer: with them Fastify serializes by generated code (fast-json-stringify). */
const text = { type: 'string' };
const integer = { type: 'integer' };
const time = { type: 'string', format: 'date-time' };
const nullable = { type: ['string', 'null'] };
const object = (properties, required = Object.keys(properties)) => ({ type: 'object', properties, required });
const list = (items) => ({ type: 'array', items });

const userFields = {
  id: text,
  email: text,
  name: text,
  status: text,
  createdAt: time,
  updatedAt: time,
  version: integer,
};
const role = object({ id: text, name: text, system: nullable, expiresAt: nullable });
const permission = object(
  {
    subject: text,
    action: text,
    conditions: { type: 'object', additionalProperties: true },
    fields: list(text),
    inverted: { type: 'boolean' },
    role: object({ id: text, name: text, system: nullable }),
  },
  ['subject', 'action', 'role'],
);
const values = { type: ['object', 'null'], additionalProperties: true };
const event = object({
  id: text,
  occurredAt: time,
  action: text,
  result: text,
  actor: object({ type: text, userId: nullable }),
  target: { ...object({ type: text, id: text }), type: ['object', 'null'] },
  before: values,
  after: values,
  address: nullable,
  userAgent: nullable,
  requestId: nullable,
});
const user = object({ ...userFields, roles: list(role) }, Object.keys(userFields));

export const answers = {
  tokens: { 200: object({ accessToken: text, refreshToken: text, tokenType: text, expiresIn: integer }) },
  user: { 200: user, 201: user },
  users: { 200: object({ data: list(object(userFields)), page: object({ nextCursor: nullable }) }) },
  events: { 200: object({ data: list(event), page: object({ nextCursor: nullable }) }) },
  permissions: { 200: object({ data: list(permission) }) },
  problem: {
    403: object({
      type: text,
      title: text,
      status: integer,
      code: text,
      detail: text,
      instance: text,
      requestId: text,
    }),
  },
};
