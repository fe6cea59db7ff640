import type { Redis } from 'ioredis'
import type { ServerMap } from './master-connector.ts'
import { watchMasters } from './master-watch.ts'
import type { HostAndPort, SentinelAddress } from './redis-address.ts'
import { sentinelClient } from './redis-client.ts'

type Master = HostAndPort & { epoch: number }

/**
 * Who is the master of a Sentinel set, asked of all Sentinels every second and whenever somebody connects.
 */
export function openSentinelMap(address: SentinelAddress, { everyMs = 1_000 } = {}): ServerMap {
  const sentinels = address.sentinels.map((place) => sentinelClient(address, place))
  const ask = async (): Promise<Master> => {
    const answers = await Promise.allSettled(sentinels.map((one) => masterOf(one, address.name)))
    const told = answers.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    // The one that was made the master last.
    const [master] = told.toSorted((a, b) => b.epoch - a.epoch)
    if (!master) throw answers.find((one) => one.status === 'rejected')?.reason
    return master
  }
  const { look, watch, stop } = watchMasters({ ask, holderNow: (master: Master) => master, everyMs })

  return {
    async find() {
      const { host, port } = await look()
      return { host, port }
    },
    watch,
    close() {
      stop()
      for (const one of sentinels) one.disconnect()
    },
  }
}

async function masterOf(sentinel: Redis, name: string): Promise<Master> {
  const answer = (await sentinel.call('SENTINEL', 'MASTER', name)) as string[]
  const field = (wanted: string) => answer[answer.indexOf(wanted) + 1] ?? ''
  return { host: field('ip'), port: Number(field('port')), epoch: Number(field('config-epoch')) }
}
