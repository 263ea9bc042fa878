import { randomBytes } from 'node:crypto';
import path from 'node:path';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { BootstrapAdministrator } from '../../src/auth/bootstrap-administrator';
import { type BackupEnv, readBackupEnv } from '../../src/config/backup-env';
import { Env, readEnv } from '../../src/config/env';
import { createApp } from '../../src/create-app';
import type { LoginUrls } from '../../src/database/login-definitions';
import { createDocument } from '../../src/openapi';
import { ApiClient, type ApiTarget } from './api-client';
import { newDatabase, type TestDatabase, testServer } from './postgres';
import { Recorder } from './recorder';

export interface Person {
  email: string;
  name: string;
  password: string;
}

export interface Tokens {
  accessToken: string;
  refreshToken: string;
}

/** A running Tenantry with a database of its own. Make it in `beforeAll`, close it in `afterAll`. */
export interface TestApp extends Instance {
  database: TestDatabase;
  /** A platform administrator, signed in. */
  administrator: SignedInClient;
  /** Another instance on the same database; it ends with this one. */
  secondInstance(): Promise<Instance>;
  close(): Promise<void>;
}

/** One process's worth of Tenantry. */
export interface Instance {
  nest: NestFastifyApplication;
  target: ApiTarget;
  /** A caller without a token, from an address of its own unless one is given. */
  anonymous(address?: string): ApiClient;
  signIn(person: Pick<Person, 'email' | 'password'>): Promise<SignedInClient>;
}

/** A caller with an access token. */
export class SignedInClient extends ApiClient {
  constructor(
    target: ApiTarget,
    /** That its requests seem to come from. */
    readonly address: string,
    readonly tokens: Tokens,
  ) {
    super(target, { 'x-forwarded-for': address, authorization: `Bearer ${tokens.accessToken}` });
  }
}

const ADMINISTRATOR = { email: 'administrator@tenantry.test', name: 'Administrator' };

/**
 * @param overrides of the configuration; the defaults are production's, but for where the database is and METRICS_TOKEN
 * @param options.withBackups there is a repository (an empty one), though nothing is backed up by itself
 * @param options.reach how the application gets to the database, where that is not directly
 */
export async function createTestApp(
  overrides: Partial<Env> = {},
  options: { withBackups?: boolean; reach?: (urls: LoginUrls) => LoginUrls | Promise<LoginUrls> } = {},
): Promise<TestApp> {
  const { directory } = await testServer();
  const password = newPassword();
  const env = Object.assign(readEnv({ NODE_ENV: 'test', DATA_DIR: directory }), {
    SECRET_KEY: randomBytes(32).toString('base64'),
    TRUST_PROXY: 1, // so that each client can have an address of its own
    BOOTSTRAP_ADMIN_EMAIL: ADMINISTRATOR.email,
    BOOTSTRAP_ADMIN_PASSWORD: password,
    METRICS_TOKEN: newPassword(),
    ...overrides,
  });
  const database = await newDatabase({ timeouts: env });
  const urls = (await options.reach?.(database.urls)) ?? database.urls;
  const instances: Instance[] = [];
  const start = async (): Promise<Instance> => {
    const instance = await startInstance(env, urls, options.withBackups ? backupsOf(database, directory) : undefined);
    instances.push(instance);
    return instance;
  };
  const close = async (): Promise<void> => {
    await Promise.all(instances.map(({ nest }) => nest.close()));
    await database.drop();
    for (const { target } of instances) target.recorder.assertAllAwaited();
  };
  try {
    const first = await start();
    await first.nest.get(BootstrapAdministrator).ensureAdministrator();
    const administrator = await first.signIn({
      email: env.BOOTSTRAP_ADMIN_EMAIL,
      password: env.BOOTSTRAP_ADMIN_PASSWORD,
    });
    return { ...first, database, administrator, secondInstance: start, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** One that the policy for passwords takes. */
export function newPassword(): string {
  return randomBytes(15).toString('base64url');
}

let addresses = 0;

/** An address that no other client of this suite has: failed sign-ins are counted by it. (RFC 2544's block for tests.) */
export function newAddress(): string {
  addresses += 1;
  return `198.18.${addresses >> 8}.${addresses & 255}`;
}

function backupsOf({ name, urls }: TestDatabase, directory: string): BackupEnv {
  return readBackupEnv({
    POSTGRES_URL: urls.app,
    POSTGRES_BACKUP_URL: urls.backup,
    BACKUP_DIR: path.join(directory, 'repositories', name),
    BACKUP_KEY: randomBytes(32).toString('base64'),
    BACKUP_SCHEDULE: 'off',
    DRILL_SCHEDULE: 'off',
    BACKUP_RECEIVE: 'off',
    DATA_DIR: directory,
  });
}

async function startInstance(env: Env, urls: LoginUrls, backups: BackupEnv | undefined): Promise<Instance> {
  const nest = await createApp(env, urls, false, [], backups);
  const target = await serve(nest);
  const anonymous = (address = newAddress()): ApiClient => new ApiClient(target, { 'x-forwarded-for': address });
  const signIn = async ({ email, password }: Pick<Person, 'email' | 'password'>): Promise<SignedInClient> => {
    const address = newAddress();
    const { body } = await anonymous(address).post<Tokens>('/v1/auth/login', { email, password }).expect(200);
    return new SignedInClient(target, address, body);
  };
  return { nest, target, anonymous, signIn };
}

async function serve(nest: NestFastifyApplication): Promise<ApiTarget> {
  try {
    await nest.listen(0, '127.0.0.1');
    return { url: await nest.getUrl(), recorder: new Recorder(createDocument(nest)) };
  } catch (error) {
    await nest.close();
    throw error;
  }
}
