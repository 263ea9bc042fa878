// What a process has in memory, as Linux counts it (proc(5), /proc/<pid>/status).
import { readFileSync, writeFileSync } from 'node:fs';

/** `residentBytes` now, and the most of it since the start or `forgetPeak`. Pages of files, such as Node's program, are in it. */
export function memoryOf(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const bytes = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)[1]) * 1024;
  return { residentBytes: bytes('VmRSS'), peakBytes: bytes('VmHWM') };
}

/** The peak begins anew. */
export const forgetPeak = (pid) => writeFileSync(`/proc/${pid}/clear_refs`, '5');
