import { Logger } from '@nestjs/common';
import pg from 'pg';
import { NotOfThisEngineError, type RecoveredCluster } from '../../src/backups/engine';
import { ExternalEngine } from '../../src/backups/external/external-engine';
import { ownerUrlOf } from '../../src/backups/recovered-cluster';
import { writePostgresUrl, readPostgresUrl } from '../../src/common/postgres-url';
import { verifyCluster } from '../../src/database/cluster-verification';
import { migrationStateOf } from '../../src/database/migrations';
import { testServer } from '../support/postgres';
import { at, LATEST, numbersOf, RecoveryStage } from '../support/recovery-stage';

jest.setTimeout(180_000);

/** The provider is played by the native engine: it restores the live server into a new one. */
let live: RecoveryStage;
let scratch: RecoveredCluster;
/** When the database noted the time last, before it was lost. */
let noted: Date;
beforeAll(async () => {
  live = await RecoveryStage.start();
  await live.receive(undefined, { heartbeatMs: 200, segmentAgeMs: 2_000 }); // a restore replays every segment
  const provider = live.engineOf();
  await provider.createBackup({ checkpoint: 'fast' });
  await live.write(0);
  noted = await note();
  await live.stored(await live.write(1));
  const plan = await provider.planRestore({ moment: LATEST });
  scratch = await provider.materialize(plan, { directory: live.newTarget(), isScratch: true });
  await live.write(2);
});
afterAll(async () => {
  await scratch?.discard();
  await live?.end();
});

async function connected<Result>(url: string, work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** As the elected instance does every 15 s. */
async function note(): Promise<Date> {
  const { rows } = await connected(live.server.urls.backup, (client) =>
    client.query<{ at: Date }>(
      `INSERT INTO ops.backup_state (observed_at, instance, engine, place) VALUES (now(), 'test', 'external', 'test')
       ON CONFLICT (id) DO UPDATE SET observed_at = excluded.observed_at RETURNING observed_at AS at`,
    ),
  );
  return rows[0]!.at;
}

function engine(
  settings: { scratchUrl?: string | undefined; liveUrl?: string; refusesPlainText?: boolean } = {},
): ExternalEngine {
  const { liveUrl = live.server.urls.backup, refusesPlainText = false } = settings;
  const scratchUrl = 'scratchUrl' in settings ? settings.scratchUrl : scratch.adminUrl('own');
  return new ExternalEngine({ scratchUrl, liveUrl: () => liveUrl, refusesPlainText });
}
const planned = (scratchUrl: string | undefined) => engine({ scratchUrl }).planRestore({ moment: LATEST });
const secondsFrom = (moment: Date, seconds: number): Date => new Date(moment.getTime() + seconds * 1_000);

describe('the external engine', () => {
  it('has no backups of its own, and says whose they are', async () => {
    expect(await engine().listBackups()).toEqual([]);
    expect(await engine().coverage()).toEqual([]);
    for (const work of [engine().createBackup(), engine().verifyBackup(), engine().prune()]) {
      await expect(work).rejects.toThrow(NotOfThisEngineError);
      await expect(work).rejects.toThrow('Your provider');
    }
    for (const target of [{ moment: LATEST, backupId: 'one' }, { moment: { kind: 'point', name: 'one' } as const }])
      await expect(engine().planRestore(target)).rejects.toThrow(NotOfThisEngineError);
  });

  it('says what the operator has to do where there is no restored server', async () => {
    await expect(planned(undefined)).rejects.toThrow(/Have your provider restore the server .+ POSTGRES_SCRATCH_URL/);
  });

  it.each([
    ['as it is', () => LATEST],
    ['as of a moment', () => at(secondsFrom(noted, 5))],
  ])('hands on what the provider has restored, %s, and never ends it', async (_, moment) => {
    const plan = await engine().planRestore({ moment: moment() });
    expect(plan).toMatchObject({ backup: undefined, timeline: 2 });
    const cluster = await engine().materialize(plan);
    expect(cluster.directory).toBeUndefined();
    const numbers = (): Promise<number[]> => connected(cluster.adminUrl('own'), numbersOf);
    expect(await numbers()).toEqual([0, 1]);
    await cluster.finish();
    await cluster.discard();
    expect(await numbers()).toEqual([0, 1]);
  });

  it('gives a session of the owner, for migrations, without a password of its own', async () => {
    const cluster = await engine().materialize(await engine().planRestore({ moment: LATEST }));
    expect(await migrationStateOf(ownerUrlOf(cluster, 'own'))).toEqual({ pending: [], failed: [], edited: [] });
    const { rows } = await connected(ownerUrlOf(cluster, 'own'), (client) =>
      client.query('SELECT current_user AS name'),
    );
    expect(rows).toEqual([{ name: 'tenantry_owner' }]);
  });

  it('is verified by an administrator who is no superuser, as far as he can see: what is hidden is said, and not called wrong', async () => {
    await connected(scratch.adminUrl('own'), (client) =>
      client.query('CREATE ROLE provider_admin LOGIN CREATEROLE CREATEDB IN ROLE tenantry_owner'),
    );
    const scratchUrl = writePostgresUrl({ ...readPostgresUrl(scratch.adminUrl('own'))!, user: 'provider_admin' });
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation();
    try {
      const cluster = await engine({ scratchUrl }).materialize(
        await engine({ scratchUrl }).planRestore({ moment: LATEST }),
      );
      expect(await verifyCluster(cluster.adminUrl)).toEqual([]);
      const said = warn.mock.calls.map(([line]) => String(line)).join('\n');
      for (const hidden of ['indexes', 'tables', 'checksums', 'references', 'owners'])
        expect(said).toContain(`Not looked at in own: ${hidden}.`);
      for (const seen of ['protection', 'logins', 'migrations']) expect(said).not.toContain(`: ${seen}.`);
    } finally {
      warn.mockRestore();
    }
  });

  it.each([
    ['after', -1],
    ['long before', 300],
  ])('refuses a server that is of a time %s the moment', async (where, seconds) => {
    const refused = engine().planRestore({ moment: at(secondsFrom(noted, seconds)) });
    await expect(refused).rejects.toThrow(`is of ${noted.toISOString()}, which is ${where}`);
  });

  it.each([
    ['by its own address', (url: string) => url],
    ['by another name', (url: string) => url.replace('/own', '/postgres')],
  ])('never takes the live server for the restored one, %s', async (_, change) => {
    await expect(planned(change(live.server.adminUrl()))).rejects.toThrow('is the live server itself');
  });

  it('refuses the live server also where it was another one when the restore was planned', async () => {
    const plan = await engine().planRestore({ moment: LATEST });
    const swapped = engine({ scratchUrl: live.server.adminUrl() });
    await expect(swapped.materialize(plan)).rejects.toThrow('is the live server itself');
  });

  it('refuses a server of another cluster', async () => {
    const { adminUrl } = await testServer();
    await expect(planned(adminUrl)).rejects.toThrow('of another cluster');
  });

  it('refuses what it cannot tell from the live server, since that does not answer', async () => {
    const liveUrl = writePostgresUrl({
      ...readPostgresUrl(live.server.urls.backup)!,
      hosts: [{ host: '/nowhere', port: 5432 }],
    });
    const refused = engine({ liveUrl }).planRestore({ moment: LATEST });
    await expect(refused).rejects.toThrow('found out by asking both');
  });

  it('refuses several hosts, and in production plain text to another machine', async () => {
    const url = 'postgresql://admin:secret@one.example:5432,two.example:5432/own';
    await expect(planned(url)).rejects.toThrow('must name one host');
    const scratchUrl = 'postgresql://admin:secret@one.example:5432/own';
    const refused = engine({ scratchUrl, refusesPlainText: true }).planRestore({ moment: LATEST });
    await expect(refused).rejects.toThrow('POSTGRES_SCRATCH_URL would connect to another machine in plain text');
  });
});
