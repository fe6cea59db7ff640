import { readFileSync } from 'node:fs'

/** Linux counts in hundredths of a second (USER_HZ). */
const tickUs = 10_000

/**
 * Microseconds of CPU that these processes have used so far, of the user and in the kernel. NaN where there is no /proc. Unlike times by
 * the clock, it hardly depends on what else the machine does.
 */
export function cpuUs(...pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + ticksOf(pid) * tickUs, 0)
}

/** See proc_pid_stat(5): `utime` and `stime` are the 12th and 13th after the name. */
function ticksOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return Number(fields[11]) + Number(fields[12])
  } catch {
    return Number.NaN
  }
}
