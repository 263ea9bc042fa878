import { Logger } from '@nestjs/common';
import pg from 'pg';
import { NotOfThisEngineError, type RecoveredCluster } from '../../src/backups/engine';
import { ownerUrlOf } from '../../src/backups/recovered-cluster';
import { writePostgresUrl, readPostgresUrl } from '../../src/common/postgres-url';
import { verifyCluster } from '../../src/database/cluster-verification';
import { migrationStateOf } from '../../src/database/migrations';
import { ExternalStage } from '../support/external-stage';
import { testServer } from '../support/postgres';
import { at, LATEST } from '../support/recovery-stage';

jest.setTimeout(180_000);

let stage: ExternalStage;
let scratch: RecoveredCluster;
/** When the restored database noted the time last. */
let noted: Date;
beforeAll(async () => {
  stage = await ExternalStage.start();
  noted = await stage.note();
  await stage.stored(await stage.live.write(0));
  await stage.offer(LATEST);
  ({ scratch } = stage);
});
afterAll(() => stage?.end());

async function connected<Result>(url: string, work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

const engine: ExternalStage['engineOf'] = (settings) => stage.engineOf(settings);
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

  it('gives a session of the owner, for migrations, without a password of its own', async () => {
    const cluster = await engine().materialize(await engine().planRestore({ moment: LATEST }));
    expect(await migrationStateOf(ownerUrlOf(cluster, 'tenantry'))).toEqual({ pending: [], failed: [], edited: [] });
    const { rows } = await connected(ownerUrlOf(cluster, 'tenantry'), (client) =>
      client.query('SELECT current_user AS name'),
    );
    expect(rows).toEqual([{ name: 'tenantry_owner' }]);
  });

  it('is verified by an administrator who is no superuser, as far as he can see: what is hidden is said, and not called wrong', async () => {
    await connected(scratch.adminUrl('tenantry'), (client) =>
      client.query('CREATE ROLE provider_admin LOGIN CREATEROLE CREATEDB IN ROLE tenantry_owner'),
    );
    const scratchUrl = writePostgresUrl({ ...readPostgresUrl(scratch.adminUrl('tenantry'))!, user: 'provider_admin' });
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation();
    try {
      const cluster = await engine({ scratchUrl }).materialize(
        await engine({ scratchUrl }).planRestore({ moment: LATEST }),
      );
      expect(await verifyCluster(cluster.adminUrl)).toEqual([]);
      const said = warn.mock.calls.map(([line]) => String(line)).join('\n');
      for (const hidden of ['indexes', 'tables', 'checksums', 'references', 'owners'])
        expect(said).toContain(`Not looked at in tenantry: ${hidden}.`);
      for (const seen of ['protection', 'logins', 'migrations']) expect(said).not.toContain(`: ${seen}.`);
    } finally {
      warn.mockRestore();
    }
  });

  it.each([
    ['after', -1],
    ['long before', 121],
  ])('refuses a server that is of a time %s the moment, and says of when it is', async (where, seconds) => {
    const refused = engine().planRestore({ moment: at(secondsFrom(noted, seconds)) });
    await expect(refused).rejects.toThrow(`is of ${noted.toISOString()}, which is ${where}`);
  });

  it('takes a server that was told the time not long before the moment', async () => {
    const until = secondsFrom(noted, 119);
    expect(await engine().planRestore({ moment: at(until) })).toMatchObject({ until });
  });

  it.each([
    ['by its own address', (url: string) => url],
    ['by another name', (url: string) => url.replace('/tenantry', '/postgres')],
  ])('never takes the live server for the restored one, %s', async (_, change) => {
    await expect(planned(change(stage.live.server.adminUrl()))).rejects.toThrow('is the live server itself');
  });

  it('refuses the live server also where it was another one when the restore was planned', async () => {
    const plan = await engine().planRestore({ moment: LATEST });
    const swapped = engine({ scratchUrl: stage.live.server.adminUrl() });
    await expect(swapped.materialize(plan)).rejects.toThrow('is the live server itself');
  });

  it('refuses a server of another cluster', async () => {
    const { adminUrl } = await testServer();
    await expect(planned(adminUrl)).rejects.toThrow('of another cluster');
  });

  it('refuses what it cannot tell from the live server, since that does not answer', async () => {
    const liveUrl = writePostgresUrl({
      ...readPostgresUrl(stage.live.server.urls.backup)!,
      hosts: [{ host: '/nowhere', port: 5432 }],
    });
    const refused = engine({ liveUrl }).planRestore({ moment: LATEST });
    await expect(refused).rejects.toThrow('found out by asking both');
  });

  it('refuses several hosts, and in production plain text to another machine', async () => {
    const url = 'postgresql://admin:secret@one.example:5432,two.example:5432/tenantry';
    await expect(planned(url)).rejects.toThrow('must name one host');
    const scratchUrl = 'postgresql://admin:secret@one.example:5432/tenantry';
    const refused = engine({ scratchUrl, refusesPlainText: true }).planRestore({ moment: LATEST });
    await expect(refused).rejects.toThrow('POSTGRES_SCRATCH_URL would connect to another machine in plain text');
  });
});
