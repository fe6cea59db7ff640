import { type Job as BullJob, Worker } from 'bullmq'
import { pino } from 'pino'
import { createErrorQueue } from '../../src/delivery/error-queue.ts'
import { createReprocess } from '../../src/delivery/reprocess.ts'
import { createSweeper } from '../../src/delivery/sweeper.ts'
import { createIntake } from '../../src/events/intake.ts'
import { bullJobId, type Failure, type Job } from '../../src/events/job.ts'
import { createJobRecords } from '../../src/events/job-records.ts'
import { createLanes, type LaneEntry, type ScheduledJob } from '../../src/events/lanes.ts'
import { orderingHash, orderingHeader } from '../../src/events/ordering.ts'
import { defaultDestinationId, defaultQueue } from '../../src/events/routing.ts'
import { createTransitions, type FinishAs, type WhyNot } from '../../src/events/transitions.ts'
import { forgetProjected } from '../../src/history/forget-jobs.ts'
import { openConnections } from '../../src/redis/connections.ts'
import { bullPrefix, keys } from '../../src/redis/keys.ts'
import { patient } from './core.ts'

const queue = defaultQueue
const group = 'model'
const log = pino({ level: 'silent' })
const aLongTimeMs = 3_600_000
/** Few, so that the actors meet over the same job. */
export const mostJobs = 5
/** Fewer than there are jobs, so that some have to wait. */
export const concurrency = 2
const tenants = ['11222333000181', '12ABC34501DE35'] as const

type Hands = {
  bull: BullJob<ScheduledJob>
  token: string
  attempt?: number
  job?: Job
  /** BullMQ is to let it go, and then the job is kept. */
  back?: WhyNot
  sent?: 'DELIVERED' | 'RETRYING' | 'FAILED'
  recorded?: string
}

/** One request that reached the destination. `lost`: whoever sent it crashed before its outcome was recorded. */
type Sent = { n: number; round: number; attempt: number; outcome: string; lost: boolean }

export type JobWorld = Awaited<ReturnType<typeof openJobWorld>>

/**
 * Gancho's parts over a real Redis, cut into steps that a test interleaves as it likes: between any two of them an actor may crash,
 * which here means that it forgets what it has in its hands. Time passes only when the test says so.
 */
export async function openJobWorld(url: string) {
  const connections = await openConnections({ url, log, ...patient })
  const redis = connections.patient
  const lanes = createLanes(redis, [queue])
  const schedule = async (entries: readonly LaneEntry[]) => {
    if (crashesBeforeSchedule) crashesBeforeSchedule = false
    else await lanes.add(entries)
  }
  const transitions = createTransitions(redis, { graceMs: 0, schedule })
  const records = createJobRecords(redis)
  const errorQueue = createErrorQueue(lanes)
  const history = new Map<number, { job: Job; body: Buffer }>()
  const finished = { snapshot: async (n: number) => history.get(n) ?? null }
  const reprocess = createReprocess({
    transitions,
    lanes,
    errorQueue,
    finished,
    maxRounds: 5,
    keepsOrder: () => true,
  })
  const forget = forgetProjected(redis)
  const sweeperDeps = {
    redis,
    records,
    transitions,
    lanes,
    errorQueue,
    forget,
    log,
    graceMs: 0,
    now: Date.now,
  }
  const sweeper = createSweeper(sweeperDeps)
  const fetcher = new Worker<ScheduledJob>(queue, null, {
    connection: redis,
    prefix: bullPrefix(queue),
    autorun: false,
    lockDuration: aLongTimeMs,
  })
  await redis.flushall()
  await redis.set(keys.epoch, 'model')
  await transitions.release(new Map([[defaultDestinationId, { concurrency, slots: 50 }]]))
  await redis.xgroup('CREATE', keys.inbox, group, '0', 'MKSTREAM')
  const intake = createIntake({
    redis: connections.intake,
    route: () => [{ destination: defaultDestinationId, queue, fifo: true }],
    dataSet: { epoch: () => 'model', reopen: async () => 'model', given: () => {}, highestGiven: () => 0 },
    memoryIsShort: () => false,
    maxBacklog: 1_000,
    idempotencyTtlSeconds: 60,
  })

  const sent: Sent[] = []
  let dispatching: { ids: string[]; add: LaneEntry[]; added: boolean } | undefined
  const workers: (Hands | undefined)[] = [undefined, undefined, undefined]
  let tokens = 0
  /** By job: which others it must not overtake. */
  const lineOf = new Map<number, string | null>()
  /** Schedules what a change has released, unless whoever made the change crashes first. */
  let crashesBeforeSchedule = false

  const accept = async (tenant: 0 | 1, orderingKey: string | null) => {
    if ((await numbers()).length >= mostJobs) return
    const event = { cnpj: tenants[tenant], eventType: null, correlationId: null, contentType: null }
    const headers: Record<string, string> = orderingKey === null ? {} : { [orderingHeader]: orderingKey }
    const body = Buffer.from('{}')
    const { ns } = await intake.accept({ ...event, headers, body, orderingKey, idempotencyKey: null })
    for (const n of ns) lineOf.set(n, orderingKey && `${tenant}.${orderingKey}`)
  }

  /** Each call is one step of the dispatcher: read or claim and enqueue, add, acknowledge. */
  const dispatch = async () => {
    if (!dispatching) {
      const ids = await readInbox()
      if (ids.length === 0) return
      const answers = await transitions.enqueue(ids.map((id) => Number.parseInt(id, 10)))
      const add = answers.flatMap((answer) => (answer.kind === 'add' ? [answer.entry] : []))
      dispatching = { ids, add, added: false }
    } else if (!dispatching.added) {
      await lanes.add(dispatching.add)
      dispatching.added = true
    } else {
      await redis
        .pipeline([
          ['xack', keys.inbox, group, ...dispatching.ids],
          ['xdel', keys.inbox, ...dispatching.ids],
        ])
        .exec()
      dispatching = undefined
    }
  }
  const readInbox = async (): Promise<string[]> => {
    const claimed = (await redis.xautoclaim(keys.inbox, group, 'c', 0, '0-0', 'COUNT', 10)) as [
      string,
      [string][],
    ]
    if (claimed[1].length > 0) return claimed[1].map(([id]) => id)
    const read = await redis.xreadgroup('GROUP', group, 'c', 'COUNT', 10, 'STREAMS', keys.inbox, '>')
    return ((read as [string, [string][]][] | null)?.[0]?.[1] ?? []).map(([id]) => id)
  }
  const crashDispatcher = async () => {
    dispatching = undefined
  }

  /** Each call is one step of worker `w`: fetch, start, send, record the outcome, let go of the BullMQ entry. */
  const work = async (w: number, outcome: Sent['outcome']) => {
    const hands = workers[w]
    if (!hands) return fetchJob(w)
    if (hands.back) return giveBack(w, hands, hands.back)
    if (hands.attempt === undefined) return begin(w, hands)
    if (!hands.sent) return send(hands, outcome)
    if (!hands.recorded) return recordOutcome(hands)
    return letGo(w, hands)
  }
  /** All workers take their next step in one turn of the event loop, so that their starts are one call, and their outcomes. */
  const workTogether = (outcome: Sent['outcome']) => Promise.all(workers.keys().map((w) => work(w, outcome)))
  const fetchJob = async (w: number) => {
    tokens += 1
    const token = `token-${tokens}`
    const bull = await fetcher.getNextJob(token, { block: false })
    if (bull) workers[w] = { bull, token }
  }
  const begin = async (w: number, hands: Hands) => {
    const { n, round } = hands.bull.data
    const started = await transitions.start(n, round, hands.token, aLongTimeMs)
    if (started.kind === 'started')
      return Object.assign(hands, { attempt: started.attempt, job: started.job })
    if (started.kind === 'back') {
      hands.back = started
      return leave(hands.bull.moveToCompleted(null, hands.token, false))
    }
    workers[w] = undefined
    if (started.kind === 'wait') await leave(hands.bull.moveToDelayed(started.until, hands.token))
    else await leave(hands.bull.moveToCompleted(null, hands.token, false))
  }
  const giveBack = async (w: number, { bull }: Hands, whyNot: WhyNot) => {
    await transitions.keep(bull.data.n, bull.data.round, whyNot)
    workers[w] = undefined
  }
  const send = async (hands: Hands, outcome: Sent['outcome']) => {
    const { n, round } = hands.bull.data
    hands.sent = outcome as Hands['sent']
    sent.push({ n, round, attempt: hands.attempt ?? 0, outcome, lost: false })
  }
  const recordOutcome = async (hands: Hands) => {
    const status = hands.sent as FinishAs['status']
    const as: FinishAs = { status }
    if (status === 'RETRYING') as.delayMs = aLongTimeMs
    if (status === 'FAILED') as.failure = failure
    const result = await transitions.finish(hands.bull.data.n, hands.attempt ?? 0, as)
    hands.recorded = result.kind === 'done' ? result.status : 'refused'
    if (hands.recorded === 'refused') markLost(hands)
  }
  const letGo = async (w: number, hands: Hands) => {
    const { n, round } = hands.bull.data
    if (hands.recorded === 'FAILED' && hands.job) {
      await errorQueue.add(hands.job, failure)
      await transitions.settle(n, round)
    }
    workers[w] = undefined
    if (hands.recorded === 'RETRYING')
      await leave(hands.bull.moveToDelayed(Date.now() + aLongTimeMs, hands.token))
    else await leave(hands.bull.moveToCompleted(null, hands.token, false))
  }
  const markLost = (hands: Hands) => {
    const { n, round } = hands.bull.data
    for (const one of sent) {
      if (one.n === n && one.round === round && one.attempt === hands.attempt) one.lost = true
    }
  }

  /** The worker is gone; its lock and its lease run out, and BullMQ puts the entry back as it does with stalled ones. */
  const crashWorker = async (w: number) => {
    const hands = workers[w]
    if (!hands) return
    workers[w] = undefined
    if (hands.sent && !hands.recorded) markLost(hands)
    const { n } = hands.bull.data
    if ((await redis.hget(keys.job(n), 'owner')) === hands.token)
      await redis.hset(keys.job(n), 'leaseUntil', 0)
    await redis.call('ZADD', `${keys.prefix}active:${defaultDestinationId}`, 'XX', '0', String(n))
    await putBack(hands)
  }

  /** BullMQ takes a worker for stalled that is alive, so a second one gets its entry. */
  const redeliver = async (w: number) => {
    const hands = workers[w]
    if (hands) await putBack(hands)
  }
  const putBack = async ({ bull, back }: Hands) => {
    // BullMQ has let it go already.
    if (back) return
    const { n, round } = bull.data
    await redis.del(`${bullPrefix(queue)}:${queue}:${bull.id}:lock`)
    await lanes.remove({ n, round, queue })
    await lanes.add([{ n, round, queue }])
  }
  /** BullMQ loses an entry that nobody works on. */
  const loseEntry = async () => {
    const [id] = await lanes.get(queue).queue.getRanges(['waiting', 'delayed'], 0, 0)
    if (id) await lanes.get(queue).queue.remove(id)
  }
  /** Whoever makes the next change that releases jobs crashes before they are in BullMQ. */
  const crashBeforeSchedule = async () => {
    crashesBeforeSchedule = true
  }
  /** Redis counts what is not out, or has lost what waits, by a fault that nobody knows of. */
  const spoilFlows = async () => {
    await redis.sadd(`${keys.prefix}out:${defaultDestinationId}`, 900_001, 900_002)
    await redis.del(`${keys.prefix}flows:${defaultDestinationId}`)
  }
  /** Somebody changes how many deliveries the destination may have under way. */
  const allow = (some: number) =>
    transitions.release(new Map([[defaultDestinationId, { concurrency: some, slots: 50 }]]))
  /** Whoever asked for another round crashes before it is in BullMQ. */
  const crashedRequeue = async (n: number) => {
    if ((await numbers()).includes(n)) await transitions.requeue({ n, maxRounds: 5 })
  }

  const numbers = async () =>
    Array.from({ length: Number((await redis.get(keys.seq)) ?? 0) }, (_, i) => i + 1)

  /** Delays, leases of nobody and the double-click guard are over. */
  const passTime = async () => {
    for (const n of await numbers()) {
      const [status, requeuedAt] = await redis.hmget(keys.job(n), 'status', 'requeuedAt')
      if (status === 'RETRYING') await redis.hset(keys.job(n), 'nextAttemptAt', 0)
      if (requeuedAt) await redis.hset(keys.job(n), 'requeuedAt', 1)
    }
    for (const id of await lanes.get(queue).queue.getRanges(['delayed'], 0, -1)) {
      const job = await lanes.get(queue).queue.getJob(id)
      await job?.promote()
    }
  }
  const sweep = async () => {
    for (const n of await redis.zrange(keys.due, '0', '-1')) await redis.call('ZADD', keys.due, 'XX', '0', n)
    await sweeper.sweep()
  }
  const project = async () => {
    const [last] = await redis.xrevrange(keys.journal, '+', '-', 'COUNT', 1)
    const { snapshots } = await records.snapshots(await numbers(), new Set(await numbers()))
    for (const { job, body } of snapshots) if (body) history.set(job.n, { job, body })
    if (last) await redis.set(keys.projected, last[0])
    await forget(snapshots.map(({ job }) => job))
  }

  const report = async (n: number) => {
    if ((await numbers()).includes(n)) await reprocess.reprocess({ n, report: 'downstream said no' })
  }
  const again = async (n: number) => {
    if ((await numbers()).includes(n)) await reprocess.reprocess({ n })
  }
  const discard = async (n: number) => {
    if ((await numbers()).includes(n)) await reprocess.discard(n).catch(ignoreConflict)
  }

  /** Where a job is, as the system itself would find it. */
  const places = async ({ n, round, cnpj }: Job) => {
    const key = lineOf.get(n)?.slice(2) ?? ''
    const [entries, state, score, kept, place, line, error] = await Promise.all([
      redis.xrange(keys.inbox, `${n}-0`, `${n}-0`),
      lanes.get(queue).queue.getJobState(bullJobId(n, round)),
      redis.zscore(keys.due, String(n)),
      redis.hget(keys.job(n), 'kept'),
      redis.zscore(keys.backlog(defaultDestinationId, cnpj), String(n)),
      redis.zrange(keys.order(defaultDestinationId, cnpj, orderingHash(key)), '0', '-1'),
      errorQueue.has(queue, n, round),
    ])
    const inHands = workers.some((hands) => hands?.bull.data.n === n && hands.bull.data.round === round)
    return {
      ...{ inbox: entries.length > 0, bull: state !== 'unknown', watched: score !== null },
      ...{ inHands, kept, inBacklog: place !== null, line, error },
    }
  }
  /** What the destination has out and under way, and what it keeps back. */
  const flow = async () => ({
    out: (await redis.smembers(`${keys.prefix}out:${defaultDestinationId}`)).map(Number),
    active: await redis.zcard(`${keys.prefix}active:${defaultDestinationId}`),
    kept: Number((await redis.hget(keys.kept, queue)) ?? 0),
    keys: (await redis.keys(`${keys.prefix}*`)).filter((key) =>
      /:(out|active|backlog|flows|order):|:kept-of$/.test(key),
    ),
  })
  const isIdle = () => !dispatching && workers.every((hands) => !hands)
  const counts = async () => ({
    inbox: await redis.xlen(keys.inbox),
    bull: await lanes
      .get(queue)
      .queue.getJobCountByTypes('waiting', 'active', 'delayed', 'failed', 'prioritized'),
    errors: await errorQueue.count(queue),
  })
  const close = async () => {
    await fetcher.close()
    await lanes.close()
    await connections.close()
  }
  return {
    ...{
      accept,
      dispatch,
      crashDispatcher,
      work,
      workTogether,
      crashWorker,
      passTime,
      sweep,
      project,
      report,
      again,
      discard,
    },
    ...{
      redeliver,
      loseEntry,
      crashedRequeue,
      crashBeforeSchedule,
      spoilFlows,
      allow,
      flow,
      lineOf,
      sent,
      workers,
      history,
      records,
      numbers,
      places,
      isIdle,
      counts,
      close,
    },
  }
}

const failure: Failure = {
  reason: 'EXHAUSTED',
  error: 'HTTP 500',
  statusCode: 500,
  responseExcerpt: null,
  attempts: 1,
  firstAttemptAt: 1,
  lastAttemptAt: 1,
  failedAt: 1,
}

function ignoreConflict(error: unknown) {
  if ((error as { code?: string }).code !== 'JOB_STATE_CONFLICT') throw error
}

/** BullMQ refuses a worker that has lost its lock; a real one logs that and goes on. */
async function leave(moved: Promise<unknown>) {
  await moved.catch((error: Error) => {
    if (!/lock|Missing key|not in the active state/i.test(error.message)) throw error
  })
}
