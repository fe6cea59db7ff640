import type { Redis } from 'ioredis'
import { type Logger, pino } from 'pino'
import { createErrorQueue } from '../../src/delivery/error-queue.ts'
import { createSweeper } from '../../src/delivery/sweeper.ts'
import { createDispatcher } from '../../src/events/dispatcher.ts'
import type { IncomingEvent } from '../../src/events/event.ts'
import { createIntake } from '../../src/events/intake.ts'
import { createJobRecords } from '../../src/events/job-records.ts'
import { createLanes } from '../../src/events/lanes.ts'
import { defaultQueue, defaultRouter, type Router } from '../../src/events/routing.ts'
import { createTransitions } from '../../src/events/transitions.ts'
import type { DataSet } from '../../src/history/data-set.ts'
import { forgetProjected } from '../../src/history/forget-jobs.ts'
import { type JournalEntry, parseEntry } from '../../src/journal/entry.ts'
import { type Connections, openConnections } from '../../src/redis/connections.ts'
import { openDataSet } from '../../src/redis/data-set.ts'
import { keys } from '../../src/redis/keys.ts'
import { letAllOut } from './let-all-out.ts'

type Options = {
  log?: Logger
  /** How long after a change the sweeper looks. */
  graceMs?: number
  route?: Router
  maxBacklog?: number
  idempotencyTtlSeconds?: number
  /** In place of one that no history stands beside. */
  dataSetOf?: (redis: Redis) => Promise<Pick<DataSet, 'epoch' | 'reopen' | 'given' | 'highestGiven'>>
  memoryIsShort?: () => boolean
  /** How long its impatient connections wait for Redis: patiently unless given, and with null as long as Gancho's do. */
  commandTimeoutMs?: number | null
}

/** A machine that stops Redis, or this process, for longer than the 1.5 s that callers of Gancho wait has not lost Redis. */
export const patient = { commandTimeoutMs: 60_000 }

type DispatcherOptions = Partial<Parameters<typeof createDispatcher>[0]>

export type Core = Awaited<ReturnType<typeof openCore>>

export const sampleEvent: IncomingEvent = {
  cnpj: '11222333000181',
  eventType: 'order.paid',
  correlationId: 'c-1',
  contentType: 'application/json',
  headers: { 'content-type': 'application/json', 'x-shop': 'padaria' },
  body: Buffer.from('{"order":7}'),
  idempotencyKey: null,
}

let consumers = 0

/** What stands over Redis alone: intake, dispatcher, transitions, queues and sweeper, without history. */
export async function openCore(url: string, options: Options = {}) {
  const { log = pino({ level: 'silent' }), graceMs = 30_000 } = options
  const { commandTimeoutMs = patient.commandTimeoutMs } = options
  const connections = await openConnections({
    ...{ url, log },
    ...(commandTimeoutMs !== null && { commandTimeoutMs }),
  })
  const redis = connections.patient
  const lanes = createLanes(redis, [defaultQueue])
  const transitions = createTransitions(redis, { graceMs, schedule: lanes.add })
  await letAllOut(transitions)
  const records = createJobRecords(redis)
  const errorQueue = createErrorQueue(lanes)
  const intake = await openIntake(connections, options)
  const newDispatcher = ({
    claimAfterMs = 50,
    hasRoom = async () => true,
    ...parts
  }: DispatcherOptions = {}) => {
    consumers += 1
    const reader = connections.dedicated('inbox')
    const consumer = `${process.pid}.${consumers}`
    const deps = { redis, transitions, lanes, log, hasRoom, claimAfterMs, consumer, ...parts }
    return createDispatcher({ reader, ...deps })
  }
  const newSweeper = () => {
    const forget = forgetProjected(redis)
    const deps = { redis, records, transitions, lanes, errorQueue, forget, log, graceMs }
    return createSweeper({ ...deps, now: Date.now })
  }
  return {
    ...{ connections, redis, lanes, transitions, records, errorQueue, intake, log },
    ...{ newDispatcher, newSweeper },
    /** Accepts one event and answers the number of its first job. */
    async accept(event: Partial<IncomingEvent> = {}): Promise<number> {
      return (await intake.accept({ ...sampleEvent, ...event })).ns[0] ?? 0
    },
    async job(n: number) {
      return (await records.jobs([n]))[0] ?? null
    },
    async attempts(n: number) {
      return (await records.attempts([n])).get(n) ?? []
    },
    /** The changes of one job, oldest first, as the journal tells them. */
    async journal(n: number): Promise<JournalEntry[]> {
      const entries = await redis.xrange(keys.journal, '-', '+')
      return entries.map(parseEntry).filter((entry) => entry.n === n)
    },
    async close() {
      await lanes.close()
      await connections.close()
    },
  }
}

async function openIntake(connections: Connections, options: Options) {
  const { dataSetOf = dataSetAlone } = options
  return createIntake({
    redis: connections.intake,
    route: options.route ?? defaultRouter(),
    dataSet: await dataSetOf(connections.patient),
    memoryIsShort: options.memoryIsShort ?? (() => false),
    maxBacklog: options.maxBacklog ?? 100_000,
    idempotencyTtlSeconds: options.idempotencyTtlSeconds ?? 60,
  })
}

async function dataSetAlone(redis: Redis) {
  const open = () => openDataSet(redis, { historyId: 'test', highestNumber: 0 })
  let epoch = await open()
  const reopen = async () => {
    epoch = await open()
    return epoch
  }
  return { epoch: () => epoch, reopen, given: () => {}, highestGiven: () => 0 }
}
