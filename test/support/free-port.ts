import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Below the ports that systems give out by themselves, to who connects or asks for any (Linux: from 32,768 on), and above the last one
 * that fetch refuses (10080, https://fetch.spec.whatwg.org/#port-blocking).
 */
const lowest = 10_100
const highest = 19_999
/** Each process of tests has ports of its own (`VITEST_POOL_ID`): two would find the same one free at once. */
const shares = 16
const size = Math.floor((highest + 1 - lowest) / shares)
const own = lowest + (Number(process.env.VITEST_POOL_ID ?? 0) % shares) * size
const given = new Set<number>()

/**
 * The first of `count` ports in a row of 127.0.0.1 that nobody listens on. Other than one that the system chose, they are nobody else's
 * either while a server starts on them, or starts again.
 */
export async function freePort(count = 1): Promise<number> {
  for (;;) {
    const first = own + Math.floor(Math.random() * (size - count + 1))
    const ports = Array.from({ length: count }, (_, i) => first + i)
    if (ports.some((port) => given.has(port)) || !(await Promise.all(ports.map(isFree))).every(Boolean))
      continue
    for (const port of ports) given.add(port)
    return first
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}
