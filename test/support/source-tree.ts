import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** The checkout under test. */
export const ROOT = path.resolve(__dirname, '../..');

/** What a tool said, and how it ended. */
export interface ToolRun {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/**
 * Writes a small source tree with planted faults, so that a checking tool can be seen to refuse them.
 * It shares the checkout's node_modules. Remove it with `removeTree`.
 * @param files path below the tree → content
 * @returns the tree's absolute path
 */
export async function plantTree(files: Record<string, string>): Promise<string> {
  const root = await mkdtemp(path.join(tmpdir(), 'tenantry-tree-'));
  await symlink(path.join(ROOT, 'node_modules'), path.join(root, 'node_modules'));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(root, name)), { recursive: true });
    await writeFile(path.join(root, name), content);
  }
  return root;
}

/** Removes what `plantTree` made; the shared node_modules stays (only the link to it goes). */
export async function removeTree(root: string): Promise<void> {
  await rm(root, { recursive: true, force: true });
}

/**
 * Runs a Node tool of the checkout to its end.
 * @param script its path below the checkout
 * @param cwd where it runs, a planted tree or ROOT
 * @param variables what its environment has beside ours
 */
export function runTool(
  script: string,
  args: string[],
  cwd: string,
  variables: Record<string, string> = {},
): Promise<ToolRun> {
  return new Promise((resolve, reject) => {
    const options = { cwd, env: { ...process.env, ...variables }, maxBuffer: 64 * 1024 * 1024 };
    execFile(process.execPath, [path.join(ROOT, script), ...args], options, (error, stdout, stderr) => {
      if (error && typeof error.code !== 'number')
        reject(new Error(`${script} did not run to its end`, { cause: error }));
      else resolve({ exitCode: Number(error?.code ?? 0), stdout, stderr });
    });
  });
}
