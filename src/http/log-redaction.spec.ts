import { describeError, withoutSecretFields, withoutSecrets } from './log-redaction';

const JWT = 'eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl';
const SECRET = 'hunter2-Zebra';

describe('withoutSecrets', () => {
  it.each([
    [
      'a connection string',
      'cannot reach postgresql://tenantry_app:hunter2-Zebra@db.internal:5432/tenantry?sslmode=require',
    ],
    ['a short one', 'at postgres://u:hunter2-Zebra@h/d, at once'],
    ['a URL with a password', 'proxy http://user:hunter2-Zebra@proxy:3128/ refused'],
    ['a password with an @ in a URL', 'amqp://user:hunter@hunter2-Zebra@host'],
    ['keywords of libpq', 'host=db user=app password=hunter2-Zebra dbname=x'],
    ['quoted keywords of libpq', "password='a hunter2-Zebra' dbname=x"],
    ['an environment', 'SECRET_KEY=hunter2-Zebra PORT=1'],
    ['JSON', 'body {"email":"a@b.c","password":"hunter2-Zebra"}'],
    ['JSON with a quote in the value', String.raw`{"password":"a\"hunter2-Zebra"}`],
    ['JSON in JSON', String.raw`"{\"newPassword\":\"hunter2-Zebra\"}"`],
    ['a list in JSON', '{"tokens": ["x", "hunter2-Zebra"]}'],
    ['what util.inspect makes', "{ password: [ 'hunter2-Zebra' ], a: 1 }"],
    ['an object', '{"credentials":{"key":"hunter2-Zebra"}}'],
    ['a query', '/v1/auth/me?access_token=hunter2-Zebra&x=1'],
    ['a bearer token', 'sent Bearer hunter2-Zebra'],
    ['basic credentials', 'Basic hunter2-Zebra=='],
    ['a header', 'Authorization: Custom hunter2-Zebra'],
    ['a header with parts', 'authorization: Digest username="x", response="hunter2-Zebra"'],
    ['cookies', 'Cookie: theme=dark; session=hunter2-Zebra'],
    ['a private key', '-----BEGIN PRIVATE KEY-----\nhunter2-Zebra\n-----END PRIVATE KEY-----'],
    ['a private key that is cut', 'x -----BEGIN EC PRIVATE KEY-----\nhunter2-Zebra'],
    ['a hash', '$argon2id$v=19$m=1$hunter2-Zebra'],
  ])('leaves out %s', (_what, text) => {
    const clean = withoutSecrets(text);
    expect(clean).not.toContain(SECRET);
    expect(clean).toContain('[redacted]');
  });

  it('leaves out tokens of ours wherever they stand', () => {
    expect(withoutSecrets(`got ${JWT}.`)).not.toContain('eyJ');
    expect(withoutSecrets(`got <rt_${'a'.repeat(43)}>`)).toBe('got <[redacted]>');
  });

  it('leaves out what it is told', () => {
    expect(withoutSecrets('in plain words: opensesame', ['opensesame'])).toBe('in plain words: [redacted]');
  });

  it.each([
    'POST /v1/tenants/:tenantId/users 201',
    'duplicate key value violates unique constraint "roles_name"',
    'password authentication failed for user "tenantry_app"',
    'The stored signing key cannot be opened: SECRET_KEY is not the one it was sealed with.',
    'invalid_refresh_token',
    'see https://example.com/a@b?c=d',
    '2 sessions removed in 13 ms',
  ])('leaves %s as it is', (text) => {
    expect(withoutSecrets(text)).toBe(text);
  });

  it('is done with long hostile texts in a moment, not in minutes', () => {
    const start = performance.now();
    // Each repeats the beginning of a pattern; 64 s when one of them was quadratic.
    for (const piece of ['password', 'a://', '"', '\\', 'token:"', 'eyJa.', '[', 'x.'])
      withoutSecrets(`: ${piece.repeat(20_000)}`);
    expect(performance.now() - start).toBeLessThan(10_000);
  });
});

describe('withoutSecretFields', () => {
  it('leaves out what is named like a secret, at any depth and of any kind', () => {
    const fields = {
      a: { b: [{ refreshToken: ['x'] }] },
      password: { c: 1 },
      'Set-Cookie': 'y',
      tokenType: 'Bearer',
      n: 1,
    };
    expect(withoutSecretFields(fields)).toEqual({
      a: { b: [{ refreshToken: '[redacted]' }] },
      password: '[redacted]',
      'Set-Cookie': '[redacted]',
      tokenType: 'Bearer',
      n: 1,
    });
  });

  it('tells of an error its class, message and stacks, and nothing else that hangs on it', () => {
    const cause = Object.assign(new Error(`password=${SECRET}`), { detail: SECRET, code: '23505' });
    const error = Object.assign(new TypeError('outer', { cause }), { row: SECRET });
    const { err } = withoutSecretFields({ err: error }) as { err: Record<string, string> };
    expect(Object.keys(err)).toEqual(['type', 'message', 'stack']);
    expect(err.stack).toMatch(/TypeError: outer[\s\S]+caused by: Error: password=\[redacted\]/);
    expect(JSON.stringify(err)).not.toContain(SECRET);
  });

  it('comes to an end with what holds itself', () => {
    const loop: Record<string, unknown> = {};
    loop.loop = loop;
    expect(JSON.stringify(withoutSecretFields(loop))).toContain('[…]');
    const error = new Error('a');
    error.cause = error;
    expect(describeError(error).stack).toContain('Error: a');
  });
});
