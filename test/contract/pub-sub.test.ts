import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { openConnections } from '../../src/redis/connections.ts'
import { memoryPubSub } from '../../src/sync/memory-pub-sub.ts'
import { redisPubSub } from '../../src/sync/redis-pub-sub.ts'
import { until } from '../support/client.ts'
import { patient } from '../support/core.ts'
import { startTestRedis } from '../support/redis.ts'
import { pubSubContract } from './pub-sub.contract.ts'

const log = pino({ level: 'silent' })

async function openOverRedis() {
  const server = await startTestRedis()
  const open = async () => {
    const connections = await openConnections({ url: server.url, log, ...patient })
    const subscriber = connections.dedicated('replies')
    return { connections, pubSub: redisPubSub({ publisher: connections.commands, subscriber }) }
  }
  const [a, b] = [await open(), await open()]
  const close = async () => {
    for (const { pubSub, connections } of [a, b]) {
      await pubSub.close()
      await connections.close()
    }
    await server.stop()
  }
  return { server, ends: [a.pubSub, b.pubSub] as [typeof a.pubSub, typeof b.pubSub], a, b, close }
}

describe('pub/sub in memory', () => {
  pubSubContract(async () => {
    const pubSub = memoryPubSub()
    return { ends: [pubSub, pubSub], close: pubSub.close }
  })
})

describe('pub/sub over Redis', () => {
  pubSubContract(openOverRedis)

  test('after a connection was lost it tells so once it hears again, and then hears everything', async () => {
    const { ends, a, close } = await openOverRedis()
    const [here, there] = ends
    const heard: unknown[] = []
    await there.subscribe('topic', (message) => heard.push(message))
    for (let turn = 1; turn <= 3; turn += 1) {
      const { promise: reconnected, resolve } = Promise.withResolvers<void>()
      const stop = there.onReconnect(resolve)
      await a.connections.patient.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await reconnected
      stop()
      await here.publish('topic', turn)
      await until(() => heard.at(-1) === turn, { what: `message ${turn}` })
    }
    await close()
  })

  test('what a script publishes in Redis is heard', async () => {
    const { ends, a, close } = await openOverRedis()
    expect(ends[1].throughRedis).toBe(true)
    const { promise: heard, resolve } = Promise.withResolvers<unknown>()
    await ends[1].subscribe('topic', resolve)
    await a.connections.patient.publish('topic', '{"by":"script"}')
    expect(await heard).toEqual({ by: 'script' })
    await close()
  })

  test('publishing while Redis is away says so', async () => {
    const { ends, server, close } = await openOverRedis()
    await server.kill9()
    await expect(ends[0].publish('topic', 'lost')).rejects.toThrow()
    await close()
  })
})
