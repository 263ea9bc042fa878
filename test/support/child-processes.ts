import { readdirSync, readFileSync } from 'node:fs';

/** The processes that a process has started and that still run, oldest first. Linux only. */
export function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((candidate) => parentOf(candidate) === pid)
    .toSorted((a, b) => a - b);
}

/** Does it run? One that has ended and that nobody has waited for yet does not. */
export function isRunning(pid: number): boolean {
  return parentOf(pid) !== undefined;
}

/** proc(5), /proc/<pid>/stat: after the name, which may hold anything, its state and its parent. */
function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' ? undefined : Number(parent);
  } catch {
    return undefined;
  }
}
