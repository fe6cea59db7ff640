import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'

/** A host of its own beyond a network interface (Linux network namespace), whose addresses can go away as when its cable is pulled. */
export type RemoteHost = {
  /** Where it reaches this machine. */
  here: string
  /** It has a process connect to this machine and send a request from one of its addresses; `paused` reads no answer. */
  connect(port: number, from: string, how: 'reading' | 'paused'): void
  /** From now on, whatever is sent to this address is lost, and nothing tells so. */
  vanish(address: string): void
  close(): Promise<void>
}

/** Of the range for tests between networks (RFC 2544); a net for each process that runs tests. */
const net = `198.18.${(process.pid >> 5) & 255}`
const first = (process.pid & 31) * 8
const address = (host: number) => `${net}.${first + host}`
/** The second can go without the first, and not the other way round. */
export const remoteAddresses = [address(2), address(3)] as const

const names = { namespace: `gancho${process.pid}`, here: `gh${process.pid}`, there: `gt${process.pid}` }
const enter = ['netns', 'exec', names.namespace]

function ip(...args: string[]): void {
  const { status, error, stderr } = spawnSync('ip', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(error?.message ?? `ip ${args.join(' ')}: ${stderr.trim()}`)
}

/** Why there can be no such host on this machine, or undefined where there can. */
export const missingRemoteHost = whyNot()
if (missingRemoteHost)
  console.warn(`Peers cannot be made to vanish here (${missingRemoteHost}): those tests are skipped.`)

function whyNot(): string | undefined {
  try {
    open()
    remove()
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

/** The interface first: a namespace goes later than it is told to. */
function remove(): void {
  ip('link', 'delete', names.here)
  ip('netns', 'delete', names.namespace)
}

function open(): void {
  const { namespace, here, there } = names
  ip('netns', 'add', namespace)
  try {
    ip('link', 'add', here, 'type', 'veth', 'peer', 'name', there, 'netns', namespace)
    ip('address', 'add', `${address(1)}/29`, 'dev', here)
    ip('link', 'set', here, 'up')
    for (const one of remoteAddresses) ip('-n', namespace, 'address', 'add', `${one}/29`, 'dev', there)
    ip('-n', namespace, 'link', 'set', there, 'up')
  } catch (error) {
    ip('netns', 'delete', namespace)
    throw error
  }
}

const client = `
  const [host, port, localAddress, how] = process.argv.slice(1)
  const socket = require('node:net').connect({ host, port: Number(port), localAddress })
  socket.write('GET / HTTP/1.1\\r\\nhost: a\\r\\n\\r\\n')
  if (how === 'reading') socket.resume()
  setInterval(() => {}, 60_000)`

export function openRemoteHost(): RemoteHost {
  open()
  const clients: ChildProcess[] = []
  const end = () => {
    for (const one of clients) one.kill('SIGKILL')
  }
  // A test that fails half-way leaves nothing behind.
  const endAll = () => {
    end()
    remove()
  }
  process.on('exit', endAll)
  return {
    here: address(1),
    connect(port, from, how) {
      const node = [process.execPath, '-e', client, address(1), String(port), from, how]
      clients.push(spawn('ip', [...enter, ...node], { stdio: ['ignore', 'inherit', 'inherit'] }))
    },
    vanish: (gone) => ip('-n', names.namespace, 'address', 'delete', `${gone}/29`, 'dev', names.there),
    async close() {
      process.off('exit', endAll)
      const exits = clients.map((one) => once(one, 'exit'))
      end()
      await Promise.all(exits)
      remove()
    },
  }
}
