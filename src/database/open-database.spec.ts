import { readEnv } from '../config/env';
import { openDatabase } from './open-database';

/** Nobody listens at port 1: what is not refused for its plain text fails there, and nothing leaves this machine. */
const LOCAL = 'postgresql://app:s3cret@127.0.0.1:1/tenantry';
const UNANSWERED = /^No PostgreSQL server answers at /;
const VARIABLES = ['POSTGRES_URL', 'POSTGRES_PLATFORM_URL', 'POSTGRES_MONITOR_URL', 'POSTGRES_REPLICA_URL'] as const;

const PRODUCTION = {
  NODE_ENV: 'production',
  SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
  POSTGRES_CONNECT_TIMEOUT_MS: '500',
  ...Object.fromEntries(VARIABLES.map((name) => [name, LOCAL])),
};

/** Why a start with this environment fails; never with a password in it. */
async function refusal(changes: NodeJS.ProcessEnv): Promise<string> {
  const error: unknown = await openDatabase(readEnv({ ...PRODUCTION, ...changes })).catch((reason: unknown) => reason);
  const { message } = error as Error;
  expect(message).not.toContain('s3cret');
  return message;
}

describe('openDatabase in production', () => {
  describe.each(VARIABLES)('%s', (variable) => {
    it.each([
      'postgresql://app:s3cret@db.test/tenantry',
      'postgresql://app:s3cret@10.0.0.5/tenantry?sslmode=prefer',
      'postgresql://app:s3cret@db.test/tenantry?sslmode=disable',
      'postgresql://app:s3cret@localhost,db.test/tenantry?target_session_attrs=any',
      'postgresql://app:s3cret@localhost/tenantry?host=/run/postgresql,db.test',
      'postgresql://app:s3cret@localhost/tenantry?host=db.test', // the parameter wins over what stands before it
      'postgresql://app:s3cret@0.0.0.0:1/tenantry',
    ])('is refused as %s', async (url) => {
      expect(await refusal({ [variable]: url })).toMatch(
        new RegExp(
          `^${variable} would connect to another machine in plain text\\. .* POSTGRES_ALLOW_PLAINTEXT=true\\.$`,
        ),
      );
    });

    it('may be in plain text when that is said', async () => {
      const url = 'postgresql://app:s3cret@0.0.0.0:1/tenantry';
      expect(await refusal({ [variable]: url, POSTGRES_ALLOW_PLAINTEXT: 'true' })).toMatch(UNANSWERED);
    });
  });

  it.each([
    'postgresql://app:s3cret@localhost:1/tenantry',
    'postgresql://app:s3cret@[::1]:1,127.0.0.1:1/tenantry',
    'postgresql://app:s3cret@localhost/tenantry?host=/nowhere/at/all',
    'postgresql://app:s3cret@0.0.0.0:1/tenantry?sslmode=require',
  ])('takes %s', async (url) => {
    expect(await refusal({ POSTGRES_URL: url })).toMatch(UNANSWERED);
  });
});

describe('openDatabase in development', () => {
  it('takes plain text to any machine', async () => {
    const url = 'postgresql://app:s3cret@0.0.0.0:1/tenantry';
    expect(await refusal({ NODE_ENV: 'development', POSTGRES_URL: url })).toMatch(UNANSWERED);
  });
});
