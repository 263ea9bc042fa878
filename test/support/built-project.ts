import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { makeTestDirectory, removeTestDirectory, sharedPlace } from './test-directory';

const ROOT = path.resolve(__dirname, '..', '..');
/** What `npm start` needs; node_modules is a link. */
const PARTS = [
  'src',
  'prisma',
  'prisma.config.ts',
  'tools',
  'package.json',
  'nest-cli.json',
  'tsconfig.json',
  'tsconfig.build.json',
  '.swcrc',
];

/** A copy of the project, so that building and spoiling it disturbs nobody. Make it in `beforeAll`, remove it in `afterAll`. */
export interface ProjectCopy {
  directory: string;
  /** Adds a migration, the last of all. @returns its name */
  addMigration(sql: string): string;
  removeMigration(name: string): void;
  remove(): void;
}

/** Not built yet: `npm start` builds it, and so does buildProject(). */
export function copyProject(): ProjectCopy {
  const home = makeTestDirectory();
  const directory = path.join(home, 'project');
  mkdirSync(directory);
  for (const part of PARTS) cpSync(path.join(ROOT, part), path.join(directory, part), { recursive: true });
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(directory, 'node_modules'));
  const migration = (name: string): string => path.join(directory, 'prisma', 'migrations', name);
  return {
    directory,
    addMigration: (sql) => {
      const name = '20991231000000_later';
      mkdirSync(migration(name));
      writeFileSync(path.join(migration(name), 'migration.sql'), sql);
      return name;
    },
    removeMigration: (name) => rmSync(migration(name), { recursive: true }),
    remove: () => removeTestDirectory(home),
  };
}

/** `npm run build`; what the first one in a worker has made serves the others. @throws Error with what the build said */
export function buildProject({ directory }: ProjectCopy): void {
  const dist = path.join(directory, 'dist');
  const built = sharedPlace('dist');
  if (existsSync(built)) return cpSync(built, dist, { recursive: true });
  const { status, stdout, stderr } = spawnSync('npm', ['run', 'build'], { cwd: directory, encoding: 'utf8' });
  if (status !== 0) throw new Error(`The build fails:\n${stdout}${stderr}`);
  cpSync(dist, `${built}.partial`, { recursive: true });
  renameSync(`${built}.partial`, built);
}
