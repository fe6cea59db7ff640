import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'

/**
 * Runs the server ($1) with its configuration ($2) and reads a pipe that Gancho holds open. When the pipe closes, however Gancho
 * ended, the server is told to stop, and killed when it does not within 30 s. When the server ends, so does the shell.
 * A list in the background gets /dev/null as its input (POSIX, "Asynchronous Lists"), hence the copy of the pipe as 3.
 */
const watchdog = `
umask 077
exec 3<&0 </dev/null
"$1" "$2" 3<&- &
server=$!
(
  while read -r line <&3; do :; done
  kill -TERM $server
  left=30
  while [ $left -gt 0 ] && kill -0 $server; do sleep 1; left=$((left - 1)); done
  kill -KILL $server
) 2>/dev/null &
watcher=$!
wait $server
code=$?
kill $watcher
exit $code
`

export type ServerProcess = {
  /** Resolves when the server, or its watchdog, has ended. Never rejects. */
  exited: Promise<void>
  /** Ends the server as SHUTDOWN does, and resolves when it has ended; within about 30 s. */
  stop(): Promise<void>
}

/**
 * Starts a server that ends with this process, also when that is killed. It has a session of its own, so a Ctrl-C at the terminal
 * does not reach it, and its output goes to the log file, so it outlives a closed terminal.
 */
export function spawnServer(options: { binary: string; configFile: string; logFile: string }): ServerProcess {
  const output = openSync(options.logFile, 'a', 0o600)
  const child = spawn('/bin/sh', ['-c', watchdog, 'gancho-redis', options.binary, options.configFile], {
    detached: true,
    stdio: ['pipe', output, output],
  })
  closeSync(output)
  // Writing is never tried; an error here only repeats that the watchdog is gone.
  child.stdin?.on('error', () => {})
  const exited = new Promise<void>((resolve) => {
    child.on('error', () => resolve())
    child.on('exit', () => {
      // Should the watchdog alone have been killed, this is what ends the server.
      child.stdin?.destroy()
      resolve()
    })
  })
  return {
    exited,
    stop: async () => {
      child.stdin?.destroy()
      await exited
    },
  }
}
