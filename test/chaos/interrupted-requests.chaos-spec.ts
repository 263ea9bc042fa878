import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { ChaosStage } from '../support/chaos';
import { eventually } from '../support/eventually';

const KEYED_CLIENTS = 4;
const RETRY_MS = 50;

let stage: ChaosStage;
/** Waits for by the requests of a test, so that they can be interrupted just there. */
let barrier: pg.Client | undefined;

beforeAll(async () => {
  stage = await ChaosStage.set();
}, 60_000);
afterEach(() => lift());
afterAll(() => stage?.clear());

interface Answer {
  status: number;
  code: string | undefined;
  id: string | undefined;
  isReplay: boolean;
}

interface Call {
  /** Below the tenant's roles. */
  path?: string;
  name?: string;
  key?: string | undefined;
}

async function call(method: 'GET' | 'POST' | 'PATCH', { path = '', name, key }: Call = {}): Promise<Answer> {
  const response = await fetch(`${stage.url}/v1/tenants/${stage.tenantId}/roles${path}`, {
    method,
    headers: {
      authorization: `Bearer ${stage.accessToken}`,
      ...(name && { 'content-type': 'application/json' }),
      ...(key && { 'idempotency-key': key }),
      ...(method === 'PATCH' && { 'if-match': '*' }),
    },
    ...(name && { body: JSON.stringify({ name, ...(method === 'POST' && { permissions: [] }) }) }),
  });
  const { code, id } = (await response.json()) as { code?: string; id?: string };
  return { status: response.status, code, id, isReplay: response.headers.has('idempotency-replayed') };
}
const read = (): Promise<Answer> => call('GET');
const write = (name: string, key?: string): Promise<Answer> => call('POST', { name, key });
const rename = (id: string | undefined, name: string): Promise<Answer> => call('PATCH', { path: `/${id}`, name });

const idsOf = (name: string): Promise<string[]> =>
  stage.asOwner(async (client) => {
    const { rows } = await client.query<{ id: string }>('SELECT id FROM app.roles WHERE name = $1', [name]);
    return rows.map(({ id }) => id);
  });

/** From now on whoever needs the table so waits. */
async function hold(mode: 'SHARE' | 'ACCESS EXCLUSIVE', table = 'app.roles'): Promise<void> {
  barrier = new pg.Client({ connectionString: stage.database.urls.owner });
  barrier.on('error', () => undefined); // a server that is stopped ends it, too
  await barrier.connect();
  await barrier.query(`BEGIN; LOCK TABLE ${table} IN ${mode} MODE`);
}
/** A server that stops might end the holder first, and whoever waits would go on. @returns what ends that */
async function freezeHolder(): Promise<() => void> {
  const { rows } = await barrier!.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  process.kill(rows[0]!.pid, 'SIGSTOP');
  return () => process.kill(rows[0]!.pid, 'SIGCONT');
}
async function lift(): Promise<void> {
  await barrier?.end().catch(() => undefined);
  barrier = undefined;
}

/** Ends the one backend that waits so, once it does. */
const interrupt = (wait: "wait_event_type = 'Lock'" | "wait_event = 'SyncRep'"): Promise<void> =>
  eventually(async () => expect(await stage.terminateBackends(wait)).toBe(1));

const alterSystem = (change: string): Promise<unknown> =>
  stage.asSuperuser(async (client) => {
    await client.query(`ALTER SYSTEM ${change}`);
    await client.query('SELECT pg_reload_conf()');
  });

describe('a read', () => {
  it('does not notice that the idle connections of the pool have died', async () => {
    await Promise.all(Array.from({ length: 8 }, read));
    expect(await stage.terminateBackends("state = 'idle'")).toBeGreaterThan(0);
    const answers = await Promise.all(Array.from({ length: 8 }, read));
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
  });

  it('is repeated when its backend is terminated in its middle', async () => {
    await hold('ACCESS EXCLUSIVE');
    const answer = read();
    await interrupt("wait_event_type = 'Lock'");
    await lift();
    expect((await answer).status).toBe(200);
  });
});

describe('a write without an Idempotency-Key', () => {
  it('is repeated when its backend is terminated before it has answered anything, and done once', async () => {
    await hold('SHARE');
    const answer = write('begun');
    await interrupt("wait_event_type = 'Lock'");
    await lift();
    const { status, id } = await answer;
    expect(status).toBe(201);
    expect(await idsOf('begun')).toEqual([id]);
  });

  it('of one round trip is repeated when its backend is terminated in its middle, and done once', async () => {
    await hold('SHARE', 'audit.events'); // after the role
    const answer = write('interrupted');
    await interrupt("wait_event_type = 'Lock'");
    await lift();
    const { status, id } = await answer;
    expect(status).toBe(201);
    expect(await idsOf('interrupted')).toEqual([id]);
  });

  it('of several is not repeated when its backend is terminated in its middle, and has left nothing behind', async () => {
    const { id } = await write('as it was');
    await hold('SHARE', 'audit.events');
    const answer = rename(id, 'renamed');
    await interrupt("wait_event_type = 'Lock'");
    await lift();
    expect(await answer).toMatchObject({ status: 503, code: 'database_unavailable' });
    expect(await idsOf('renamed')).toEqual([]);
    expect(await idsOf('as it was')).toEqual([id]);
  });
});

describe('a write with an Idempotency-Key', () => {
  it('is repeated when its backend is terminated before COMMIT, and done once', async () => {
    await hold('SHARE');
    const answer = write('repeated', randomUUID());
    await interrupt("wait_event_type = 'Lock'");
    await lift();
    const { status, id } = await answer;
    expect(status).toBe(201);
    expect(await idsOf('repeated')).toEqual([id]);
  });

  it('that failed in spite of that can be repeated by its caller, with the same key', async () => {
    const key = randomUUID();
    await hold('SHARE');
    const answer = write('twice', key);
    await interrupt("wait_event_type = 'Lock'");
    await interrupt("wait_event_type = 'Lock'");
    expect(await answer).toMatchObject({ status: 503, code: 'database_unavailable' });
    await lift();
    const again = await write('twice', key);
    expect(again).toMatchObject({ status: 201, isReplay: false });
    expect(await write('twice', key)).toEqual({ ...again, isReplay: true });
    expect(await idsOf('twice')).toEqual([again.id]);
  });

  it('can be repeated when the server went away with it, as soon as it is back', async () => {
    const key = randomUUID();
    await hold('SHARE');
    const answer = write('outlived', key);
    await eventually(async () => expect(await stage.countWaiting()).toBe(1));
    const thaw = await freezeHolder();
    const stopped = stage.stopDatabase();
    const failed = await answer;
    thaw();
    await stopped;
    await stage.startDatabase();
    expect(failed).toMatchObject({ status: 503, code: 'database_unavailable' });
    await eventually(async () => expect(await write('outlived', key)).toMatchObject({ status: 201 }));
    expect(await idsOf('outlived')).toHaveLength(1);
  });

  it('is not done again when it was committed and only the answer was lost: the caller is told to look', async () => {
    const key = randomUUID();
    await hold('SHARE');
    const answer = write('committed', key);
    await eventually(async () => expect(await stage.countWaiting()).toBe(1));
    // Its COMMIT is written, and then waits for a standby that does not exist.
    await alterSystem(`SET synchronous_standby_names = 'nobody'`);
    try {
      await lift();
      await interrupt("wait_event = 'SyncRep'");
    } finally {
      await alterSystem('RESET synchronous_standby_names');
    }
    expect(await answer).toMatchObject({ status: 503, code: 'database_unavailable' });
    expect(await idsOf('committed')).toHaveLength(1);
    expect(await write('committed', key)).toMatchObject({ status: 409, code: 'idempotency_key_in_use' });
  });

  it('takes effect at most once, however often callers repeat it while connections die and the server restarts', async () => {
    let isOver = false;
    let made = 0;
    const finished: { name: string; answer: Answer }[] = [];
    const failures: Answer[] = [];
    const client = async (): Promise<void> => {
      while (!isOver) {
        const [name, key] = [`keyed ${(made += 1)}`, randomUUID()];
        for (;;) {
          const answer = await write(name, key);
          if (answer.status === 201 || answer.status === 409) {
            finished.push({ name, answer });
            break;
          }
          failures.push(answer);
          await sleep(RETRY_MS);
        }
      }
    };
    const clients = Array.from({ length: KEYED_CLIENTS }, client);
    try {
      for (let round = 0; round < 40; round += 1) {
        await stage.terminateBackends('random() < 0.7', ['tenantry_app', 'tenantry_platform']);
        await sleep(40);
      }
      await stage.stopDatabase();
      await sleep(300);
      await stage.startDatabase();
      await sleep(500);
    } finally {
      isOver = true;
      await Promise.all(clients);
    }
    // One that is refused because its own name is taken has been done twice.
    expect(finished.filter(({ answer }) => answer.code === 'role_name_taken')).toEqual([]);
    expect(failures.filter(({ status }) => status !== 503)).toEqual([]);
    const acknowledged = finished.filter(({ answer }) => answer.status === 201);
    const undecided = finished.length - acknowledged.length;
    process.stdout.write(
      `keyed writes: ${acknowledged.length} done, ${undecided} undecided, after ${failures.length} failures\n`,
    );
    for (const { name, answer } of acknowledged)
      expect({ name, ids: await idsOf(name) }).toEqual({ name, ids: [answer.id] });
    expect(acknowledged.length).toBeGreaterThan(undecided);
    expect(failures.length).toBeGreaterThan(0);
  }, 60_000);
});
