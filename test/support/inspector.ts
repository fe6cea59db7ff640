import { once } from 'node:events'
import { WebSocket } from 'ws'
import { until } from './client.ts'
import type { GanchoProcess } from './gancho.ts'

/** Bytes. `held`: what is in use on the heap and beside it, after everything else was collected. */
export type Memory = { held: number; rss: number }

export type Inspector = { memory(): Promise<Memory>; close(): void }

/** Environment of a process that `inspect` can look into. */
export const inspectable = { NODE_OPTIONS: '--inspect=127.0.0.1:0' }

/** Looks into a running process by the protocol of its debugger (Chrome DevTools Protocol), past its code. */
export async function inspect(gancho: GanchoProcess): Promise<Inspector> {
  const address = () => /Debugger listening on (ws:\/\/\S+)/.exec(gancho.output())?.[1]
  const socket = new WebSocket(await until(address, { what: 'the address of the debugger' }))
  await once(socket, 'open')
  let id = 0
  const call = async (method: string, params: unknown = {}) => {
    const own = ++id
    const answered = new Promise<{ result: { result?: { value: unknown } } }>((resolve) => {
      const listen = (data: unknown) => {
        const message = JSON.parse(String(data))
        if (message.id !== own) return
        socket.off('message', listen)
        resolve(message)
      }
      socket.on('message', listen)
    })
    socket.send(JSON.stringify({ id: own, method, params }))
    return (await answered).result.result?.value
  }
  return {
    async memory() {
      // What the first collection gives up by finalizers is gone with the second.
      for (let i = 0; i < 2; i++) await call('HeapProfiler.collectGarbage')
      const expression = 'process.memoryUsage()'
      const usage = await call('Runtime.evaluate', { expression, returnByValue: true })
      const { heapUsed, external, rss } = usage as NodeJS.MemoryUsage
      return { held: heapUsed + external, rss }
    },
    close: () => socket.terminate(),
  }
}
