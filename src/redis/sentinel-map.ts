import type { Redis } from 'ioredis'
import { isSamePlace } from './cluster-nodes.ts'
import type { ServerMap } from './master-connector.ts'
import type { HostAndPort, SentinelAddress } from './redis-address.ts'
import { sentinelClient } from './redis-client.ts'

type Master = HostAndPort & { epoch: number }

/**
 * Who is the master of a Sentinel set, asked of all Sentinels every second and whenever somebody connects: a master that hangs closes
 * no connection by itself.
 */
export function openSentinelMap(address: SentinelAddress, { everyMs = 1_000 } = {}): ServerMap {
  const sentinels = address.sentinels.map((place) => sentinelClient(address, place))
  const watchers = new Set<{ holder: HostAndPort; gone: () => void }>()
  let looking: Promise<Master> | undefined

  const look = async (): Promise<Master> => {
    const answers = await Promise.allSettled(sentinels.map((one) => masterOf(one, address.name)))
    const told = answers.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    // The one that was made the master last.
    const [master] = told.toSorted((a, b) => b.epoch - a.epoch)
    if (!master) throw answers.find((one) => one.status === 'rejected')?.reason
    for (const { holder, gone } of watchers) {
      if (!isSamePlace(master, holder)) gone()
    }
    return master
  }
  const lookOnce = () => {
    looking ??= look().finally(() => {
      looking = undefined
    })
    return looking
  }
  // Whoever connects is told of the trouble.
  const timer = setInterval(() => void lookOnce().catch(() => undefined), everyMs)
  timer.unref()

  return {
    async find() {
      const { host, port } = await lookOnce()
      return { host, port }
    },
    watch(holder, gone) {
      const watcher = { holder, gone }
      watchers.add(watcher)
      return () => watchers.delete(watcher)
    },
    close() {
      clearInterval(timer)
      for (const one of sentinels) one.disconnect()
    },
  }
}

async function masterOf(sentinel: Redis, name: string): Promise<Master> {
  const answer = (await sentinel.call('SENTINEL', 'MASTER', name)) as string[]
  const field = (wanted: string) => answer[answer.indexOf(wanted) + 1] ?? ''
  return { host: field('ip'), port: Number(field('port')), epoch: Number(field('config-epoch')) }
}
