import { pino } from 'pino'
import { createIntake } from '../../src/events/intake.ts'
import { defaultRouter, type Router } from '../../src/events/routing.ts'
import { openConnections } from '../../src/redis/connections.ts'
import { openDataSet } from '../../src/redis/data-set.ts'
import { createCorrelator } from '../../src/sync/correlator.ts'
import type { PubSub } from '../../src/sync/pub-sub.ts'
import { redisPubSub } from '../../src/sync/redis-pub-sub.ts'
import type { Upstream } from '../../src/sync/upstream/upstream.ts'
import type { Tenant } from '../../src/tenants/tenant.ts'
import { patient, sampleEvent } from './core.ts'
import { upstreamsOf } from './upstreams.ts'

export const tenant: Tenant = {
  ...{ cnpj: '11222333000181', name: 'Padaria', active: true, settings: {}, createdAt: 0, updatedAt: 0 },
}
export const otherTenant: Tenant = { ...tenant, cnpj: '11444777000161', name: 'Farmácia' }

const secret = 'a secret for tests only'

type Options = {
  ttlMs?: number
  pollMs?: number
  maxWaiters?: number
  route?: Router
  /** May put something in front of the pub/sub, to lose messages. */
  pubSubOf?: (pubSub: PubSub) => PubSub
}

export type Instance = Awaited<ReturnType<typeof openInstance>>

let instances = 0

/** A gateway's intake and correlator over this Redis, as the app puts them together. */
export async function openInstance(url: string, upstreams: readonly Upstream[], options: Options = {}) {
  const log = pino({ level: 'silent' })
  const connections = await openConnections({ url, log, ...patient })
  instances += 1
  const owner = `instance-${instances}`
  const plain = redisPubSub({
    publisher: connections.commands,
    subscriber: connections.dedicated('replies'),
  })
  const pubSub = options.pubSubOf ? options.pubSubOf(plain) : plain
  const correlator = await createCorrelator({
    ...{ redis: connections.commands, pubSub, upstreams: upstreamsOf(upstreams), owner, log },
    ...{ secrets: [secret], publicUrl: () => 'http://gancho', ttlMs: options.ttlMs ?? 60_000 },
    // Longer than a test: what is found in time came by a message.
    ...{ maxWaiters: options.maxWaiters ?? 1_000, pollMs: options.pollMs ?? 120_000, lookEveryMs: 120_000 },
  })
  const epoch = await openDataSet(connections.patient, { historyId: 'test', highestNumber: 0 })
  const dataSet = {
    ...{ epoch: () => epoch, reopen: async () => epoch, given: () => {}, highestGiven: () => 0 },
  }
  const intake = correlator.intakeOf(
    createIntake({
      ...{
        redis: connections.intake,
        route: options.route ?? defaultRouter(),
        dataSet,
        memoryIsShort: () => false,
      },
      ...{ maxBacklog: 100_000, idempotencyTtlSeconds: 60 },
    }),
  )
  return {
    ...{ owner, correlator, intake, redis: connections.patient, connections },
    /** Posts a JSON webhook of this tenant. */
    webhook(json: object, event: Partial<typeof sampleEvent> = {}) {
      const body = Buffer.from(JSON.stringify(json))
      return intake.accept({ ...sampleEvent, correlationId: null, ...event, json, body })
    },
    /** Posts to a callback URL, as the route does. */
    callback(url: string, json: object, event: Partial<typeof sampleEvent> = {}) {
      const found = correlator.capabilities.open(url.split('/').at(-1) ?? '')
      if (!found) throw new Error('not a valid callback URL')
      const { awaitId, cnpj } = found
      const named = { awaitId, failed: false, deliver: true }
      const body = Buffer.from(JSON.stringify(json))
      return intake.accept({ ...sampleEvent, correlationId: null, cnpj, ...event, json, body, named })
    },
    call(request: Partial<Parameters<typeof correlator.callAndAwait>[0]> = {}) {
      return correlator.callAndAwait({
        tenant,
        body: Buffer.from('{"order":7}'),
        idempotencyKey: null,
        ...request,
      })
    },
    async close() {
      await correlator.idle()
      await correlator.close()
      await pubSub.close()
      await connections.close()
    },
    /** Ends as a crash would: nothing is given back. */
    crash: () => connections.close(),
  }
}
