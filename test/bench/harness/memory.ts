import { readFileSync } from 'node:fs'

/** Bytes of memory that these processes hold (VmRSS of proc_pid_status(5)). NaN where there is no /proc. */
export function rssBytes(...pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + rssOf(pid), 0)
}

function rssOf(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1_024
  } catch {
    return Number.NaN
  }
}
