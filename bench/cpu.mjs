// What processes have cost so far, as Linux counts it. Elsewhere it is unknown: NaN.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const isLinux = process.platform === 'linux';
const MS_PER_TICK = isLinux ? 1000 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' })) : NaN;

/** Milliseconds of CPU that a process with all its threads has used. */
export function cpuOfProcess(pid) {
  const stat = isLinux && statOf(pid);
  return stat ? stat.ownTicks * MS_PER_TICK : NaN;
}

/** Milliseconds of CPU that a PostgreSQL server has used: the postmaster, its backends, and those that have ended. */
export function cpuOfPostgres(dataDir) {
  return cpuOfFamily(Number(readFileSync(path.join(dataDir, 'postmaster.pid'), 'utf8').split('\n', 1)[0]));
}

/** Milliseconds of CPU that a process and its children have used, those that have ended included. */
export function cpuOfFamily(pid) {
  if (!isLinux) return NaN;
  const ticks = childrenOf(pid).map((child) => statOf(child)?.ownTicks ?? 0);
  const { ownTicks, endedChildrenTicks } = statOf(pid);
  return (ownTicks + endedChildrenTicks + ticks.reduce((sum, some) => sum + some, 0)) * MS_PER_TICK;
}

/** Microseconds of CPU that a process of one thread has used: /proc/<pid>/schedstat begins with nanoseconds, where stat has hundredths of a second. */
export function cpuOfThread(pid) {
  return isLinux ? Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ', 1)[0]) / 1_000 : NaN;
}

/** Bytes of memory that a process and its children hold; what several share is counted once (Pss). */
export function memoryOfFamily(pid) {
  if (!isLinux) return NaN;
  return [pid, ...childrenOf(pid)].map(memoryOf).reduce((sum, some) => sum + some, 0);
}

const memoryOf = (pid) =>
  Number(/^Pss: +(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? NaN) * 1024;

function childrenOf(pid) {
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return processes.map(Number).filter((candidate) => statOf(candidate)?.parent === pid);
}

/** proc(5), /proc/<pid>/stat. Undefined for a process that has ended. */
function statOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // After the name, which may hold anything: state, parent, …, the 12th and 13th utime and stime, then those of children.
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    return { parent: fields[1], ownTicks: fields[11] + fields[12], endedChildrenTicks: fields[13] + fields[14] };
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return undefined;
    throw error;
  }
}
