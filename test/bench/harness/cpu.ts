import { readFileSync } from 'node:fs'

/** Linux counts in hundredths of a second (USER_HZ). */
const tickUs = 10_000

/**
 * Microseconds of CPU that these processes have used so far, of the user and in the kernel, with that of their children that have ended,
 * such as those in which Redis writes its append-only file anew. NaN where there is no /proc. Unlike times by
 * the clock, it hardly depends on what else the machine does.
 */
export function cpuUs(...pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + ticksOf(pid) * tickUs, 0)
}

/** See proc_pid_stat(5): `utime`, `stime`, `cutime` and `cstime` are the 12th to 15th after the name. */
function ticksOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0)
  } catch {
    return Number.NaN
  }
}
