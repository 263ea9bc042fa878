import { parseConnectionString, type SessionAttributes } from '../../src/database/connection-string';
import { connectToFirst } from '../../src/database/first-server';
import { TenantDb } from '../../src/database/tenant-db';
import { eventually } from '../support/eventually';
import { PairStage } from '../support/pair-stage';
import type { PairMember } from '../support/replicated-pair';

/** A reader waits at most so long for a replica that is behind or silent (replica-reads.ts), and a busy machine. */
const LONGEST_MS = 5_000;

let stage: PairStage;
beforeAll(async () => {
  stage = await PairStage.set({ readsFromStandby: true });
}, 60_000);
afterAll(() => stage?.clear());

let made = 0;
async function makeRole(): Promise<string> {
  const name = `role ${(made += 1)}`;
  await stage.call('POST', `/v1/tenants/${stage.tenantId}/roles`, { name, permissions: [] });
  return name;
}

async function listsRole(name: string): Promise<boolean> {
  const route = `/v1/tenants/${stage.tenantId}/roles?limit=1&sort=-createdAt`;
  const { data } = await stage.call<{ data: { name: string }[] }>('GET', route);
  return data.some((role) => role.name === name);
}

/** Who answers a read that may be stale? */
async function whoReads(): Promise<'primary' | 'standby'> {
  const [row] = await stage.app
    .get(TenantDb)
    .read(stage.tenantId, (tx) => tx.$queryRaw<{ standby: boolean }[]>`SELECT pg_is_in_recovery() AS standby`, {
      staleness: 'allowed',
    });
  return row!.standby ? 'standby' : 'primary';
}

/** Transactions of the app login that the standby has seen begin. */
async function lastReadOnStandby(): Promise<string | undefined> {
  const { pair } = stage;
  const [row] = await pair.query<{ at: string }>(
    pair.standby,
    `SELECT max(state_change)::text AS at FROM pg_stat_activity WHERE application_name = 'tenantry-replica'`,
  );
  return row?.at;
}

const replay = (change: 'pause' | 'resume'): Promise<unknown> =>
  stage.pair.query(stage.pair.standby, `SELECT pg_wal_replay_${change}()`);

describe('lists, with a replica', () => {
  it('come from it', async () => {
    await eventually(async () => expect(await whoReads()).toBe('standby'));
    const before = await lastReadOnStandby();
    await eventually(async () => {
      await listsRole('none');
      expect(await lastReadOnStandby()).not.toBe(before);
    });
  });

  it('show to a caller what it has just written, every time', async () => {
    let fromStandby = 0;
    for (let round = 0; round < 30; round += 1) {
      const name = await makeRole();
      expect({ name, listed: await listsRole(name) }).toEqual({ name, listed: true });
      if ((await whoReads()) === 'standby') fromStandby += 1;
    }
    process.stdout.write(`replica: ${fromStandby} of 30 reads right after a write came from the standby\n`);
    expect(fromStandby).toBeGreaterThan(0);
  });

  it('come from the primary while the replica is behind, with all that was written, and from the replica again', async () => {
    await eventually(async () => expect(await whoReads()).toBe('standby'));
    await replay('pause');
    try {
      for (let round = 0; round < 5; round += 1) {
        const name = await makeRole();
        expect({ name, listed: await listsRole(name) }).toEqual({ name, listed: true });
        expect(await whoReads()).toBe('primary');
      }
    } finally {
      await replay('resume');
    }
    await eventually(async () => expect(await whoReads()).toBe('standby'));
  });
});

describe('target_session_attrs', () => {
  const { primary, standby } = { primary: 'primary', standby: 'standby' } as const;
  it.each<[SessionAttributes, 'primary' | 'standby', 'primary' | 'standby']>([
    // asked for, found with the primary first, found with the standby first
    ['any', primary, standby],
    ['read-write', primary, primary],
    ['primary', primary, primary],
    ['read-only', standby, standby],
    ['standby', standby, standby],
    ['prefer-standby', standby, standby],
  ])('%s finds the %s, or the %s when the standby comes first', async (attributes, ...found) => {
    const { pair } = stage;
    expect(await findHost([pair.primary, pair.standby], attributes)).toBe(found[0]);
    expect(await findHost([pair.standby, pair.primary], attributes)).toBe(found[1]);
  });

  it('prefer-standby takes a primary where there is nothing else; standby does not, and says why', async () => {
    const { pair } = stage;
    expect(await findHost([pair.primary], 'prefer-standby')).toBe('primary');
    await expect(findHost([pair.primary], 'standby')).rejects.toThrow(
      `127.0.0.1:${pair.primary.port}: it is the primary`,
    );
    await expect(findHost([pair.standby], 'read-write')).rejects.toThrow(
      `127.0.0.1:${pair.standby.port}: it is a standby`,
    );
  });
});

async function findHost(members: readonly PairMember[], attributes: SessionAttributes): Promise<string> {
  const url = new URL(stage.pair.urlOf('app', [members[0]!]));
  const hosts = members.map(({ port }) => `127.0.0.1:${port}`).join(',');
  const text = url.href.replace(url.host, hosts);
  const target = parseConnectionString(`${text}?target_session_attrs=${attributes}`);
  const { client, address } = await connectToFirst(target, 20_000, 'tenantry-test');
  await client.end();
  return address.port === stage.pair.primary.port ? 'primary' : 'standby';
}

// The last: the standby does not come back.
describe('a replica that is lost', () => {
  it.each([
    ['silent', 'SIGSTOP'],
    ['dead', 'SIGKILL'],
  ] as const)('costs readers no answer, and bounded time: %s', async (state, signal) => {
    const { pair } = stage;
    if (signal === 'SIGSTOP') await pair.commitAlone(); // nobody waits for the standby's word any more
    await eventually(async () => expect(await whoReads()).toBe('standby'));
    pair.standby.signalAll(signal);
    let longestMs = 0;
    const readers = Array.from({ length: 4 }, async () => {
      for (let round = 0; round < 5; round += 1) {
        const start = performance.now();
        const name = await makeRole();
        expect({
          name,
          listed: await stage.call('GET', `/v1/tenants/${stage.tenantId}/roles?q=${name.replace(' ', '%20')}`),
        }).toMatchObject({
          listed: { data: [{ name }] },
        });
        longestMs = Math.max(longestMs, performance.now() - start);
      }
    });
    try {
      await Promise.all(readers);
      process.stdout.write(`replica ${state}: a write and a list took at most ${longestMs.toFixed(0)} ms\n`);
      expect(longestMs).toBeLessThan(LONGEST_MS);
      expect(await whoReads()).toBe('primary');
      expect(await stage.statusOf('/health/ready')).toBe(200);
    } finally {
      if (signal === 'SIGSTOP') pair.standby.signalAll('SIGCONT');
    }
    expect(stage.errors).toEqual([]);
  });
});
