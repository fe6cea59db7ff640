import { readFileSync } from 'node:fs'

/** Whoever runs the tests may have a `.env` of their own in the repository. */
export const noEnvFile = { GANCHO_ENV_FILE: '/dev/null' }

const { PATH = '', NODE_COMPILE_CACHE = '' } = process.env
/** What a started process is given of the environment: to find programs, and modules as fast as `npm start` does (empty: not kept). */
export const machineEnvironment = { PATH, NODE_COMPILE_CACHE }

/** Whether a process runs; one that has ended but was not collected by its parent does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  return process.platform !== 'linux' || statOf(pid)[0] !== 'Z'
}

/** Linux only. */
export const parentOf = (pid: number): number => Number(statOf(pid)[1])

/** State, parent and further fields after the name, see proc_pid_stat(5). */
function statOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
  } catch {
    return ['Z', '0']
  }
}
