import { afterAll, beforeAll, expect, test } from 'vitest'
import { keys } from '../../src/redis/keys.ts'
import { until } from './client.ts'
import { openEventStream } from './event-stream.ts'
import { clientsOf, type Fleet, openFleet } from './fleet.ts'
import type { GanchoProcess } from './gancho.ts'
import { openSocket } from './graphql-socket.ts'
import { type Inspector, inspect, inspectable, type Memory } from './inspector.ts'
import { numericCnpj } from './tenants.ts'

const eventStreams = 200
const sockets = 10
const perSocket = 30
/** Subscriptions that are open together, half of them over event streams. */
const perRound = eventStreams + sockets * perSocket

const query = `subscription ($after: Cursor, $queue: String) { jobEvents(filter: { queue: $queue }, after: $after) {
  ... on JobStatusChanged { cursor jobId status job { id status } } } }`

type World = { fleet: Fleet; gateway: GanchoProcess; inspector: Inspector; token: string }

/** Nobody subscribes any more: the places of the tenant, whom all belong to, are given back. */
const untilNobodyIsLeft = ({ data }: Fleet) =>
  until(async () => (await data.zcard(keys.streams(numericCnpj))) === 0, {
    what: 'no subscription left',
  })

/** Opens subscriptions of both kinds, in groups of their own, ends half of them in order and cuts the others. */
async function openAndClose({ fleet, gateway, inspector, token }: World, round: number): Promise<Memory> {
  const variables = (i: number) => ({ queue: `of-${round}-${i % 7}` })
  const [streams, clients] = await Promise.all([
    Promise.all(
      Array.from({ length: eventStreams }, (_, i) =>
        openEventStream(gateway.origin, { query, variables: variables(i), token }),
      ),
    ),
    Promise.all(Array.from({ length: sockets }, () => openSocket(gateway.origin, { token }))),
  ])
  for (const client of clients)
    for (let i = 0; i < perSocket; i++) client.subscribe(String(i), query, variables(i))
  await until(async () => (await fleet.data.zcard(keys.streams(numericCnpj))) === perRound, {
    what: `${perRound} subscriptions`,
  })
  const whileOpen = await inspector.memory()
  for (const stream of streams) stream.close()
  for (const [i, client] of clients.entries()) {
    if (i % 2) for (let id = 0; id < perSocket; id++) client.send({ id: String(id), type: 'complete' })
    if (i % 2) client.socket.close()
    else client.socket.terminate()
  }
  await untilNobodyIsLeft(fleet)
  return whileOpen
}

/** Declares the test: `bytes` of each subscription may stay. */
export function expectSubscriptionsToLeaveNoMemory(rounds: number, bytes: number, withinMs: number): void {
  let world: World

  beforeAll(async () => {
    const fleet = await openFleet({ answer: (response) => response.end('ok'), env: { LOG_LEVEL: 'warn' } })
    const gateway = await fleet.start('gateway', inspectable)
    const { token } = await clientsOf(gateway)
    world = { fleet, gateway, inspector: await inspect(gateway), token }
  })
  afterAll(async () => {
    world.inspector.close()
    await world.fleet.close()
  })

  test(
    `after ${rounds * perRound} subscriptions were opened and closed, a gateway holds what it held at the start`,
    async () => {
      // What is made once for all is there after the first.
      await openAndClose(world, -1)
      const atFirst = await world.inspector.memory()
      const whileOpen: number[] = []
      const after: number[] = []
      let last = atFirst
      for (let round = 0; round < rounds; round++) {
        whileOpen.push((await openAndClose(world, round)).held - atFirst.held)
        last = await world.inspector.memory()
        after.push(last.held - atFirst.held)
      }
      const rss = [atFirst, last].map((memory) => Math.round(memory.rss / 1_048_576))
      console.log({ subscriptions: rounds * perRound, whileOpen, after, rss })
      expect(Math.min(...whileOpen), 'open subscriptions show').toBeGreaterThan(perRound * 4_000)
      expect(Math.min(...after.slice(-3))).toBeLessThan(rounds * perRound * bytes)
    },
    withinMs,
  )
}
