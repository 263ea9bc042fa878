import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { BackupSummary } from '../../src/backups/engine';
import { buildProject, copyProject, type ProjectCopy } from '../support/built-project';
import { BIN_DIR, describeWithPgBackRest, PgBackRestStage } from '../support/pgbackrest-stage';
import { ServerProcess } from '../support/server-process';

jest.setTimeout(300_000);

/** All that stands above the seam, with pgBackRest below it. */
describeWithPgBackRest('tenantry with BACKUP_ENGINE=pgbackrest', () => {
  let stage: PgBackRestStage;
  let project: ProjectCopy;
  let variables: Record<string, string>;
  beforeAll(async () => {
    project = copyProject();
    buildProject(project);
    stage = await PgBackRestStage.start();
    const { urls } = stage.server;
    variables = {
      POSTGRES_URL: urls.app,
      POSTGRES_PLATFORM_URL: urls.platform,
      POSTGRES_OWNER_URL: urls.owner,
      POSTGRES_BACKUP_URL: urls.backup,
      POSTGRES_BIN_DIR: BIN_DIR,
      DATA_DIR: path.join(stage.directory, 'data'),
      BACKUP_ENGINE: 'pgbackrest',
      BACKUP_DIR: path.join(stage.directory, 'notes'),
      BACKUP_KEY: randomBytes(32).toString('base64'),
      PGBACKREST_STANZA: 'stage',
      PGBACKREST_CONFIG: stage.config,
    };
  });
  afterAll(async () => {
    await stage?.end();
    project?.remove();
  });

  async function run(...args: string[]): Promise<{ code: number | null; output: string }> {
    const command = new ServerProcess(project.directory, variables, [
      process.execPath,
      'dist/cli/tenantry.js',
      ...args,
    ]);
    const { code } = await command.ended;
    return { code, output: command.output };
  }
  const done = async (...args: string[]): Promise<string> => {
    const { code, output } = await run(...args);
    expect({ code, output }).toMatchObject({ code: 0 });
    return output;
  };

  it('takes, lists and verifies a backup, proves it in a drill, and restores it with all that a restore looks at', async () => {
    const backup = JSON.parse(await done('backup', 'create', '--json')) as BackupSummary;
    await stage.write(0);
    await done('restore-point', 'create', 'between');
    await stage.stored(await stage.write(1));
    const { windows } = JSON.parse(await done('backup', 'list', '--json')) as { windows: { backup: string }[] };
    expect(windows).toMatchObject([{ backup: backup.id, timeline: 1, gap: null }]);
    expect(await done('backup', 'verify')).toContain(`${backup.id} is whole.`);

    const drill = JSON.parse(await done('drill', '--json')) as { status: string };
    expect(drill).toMatchObject({ status: 'succeeded' });

    const target = path.join(stage.directory, 'targets', 'copy');
    const restored = await done('restore', '--restore-point', 'between', '--to', target, '--yes', '--json');
    const result = JSON.parse(restored.trim().split('\n').at(-1)!) as { status: string; comparedEntries: number };
    expect(result).toMatchObject({ status: 'restored', directory: target });
    expect(result.comparedEntries).toBeGreaterThan(0);
    expect(existsSync(path.join(target, 'PG_VERSION'))).toBe(true);
  });

  it('receives no log: the server archives it', async () => {
    expect(await run('wal', 'receive')).toMatchObject({
      code: 2,
      output: expect.stringContaining('archived by others') as string,
    });
  });
});
