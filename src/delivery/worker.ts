import { type Job as BullJob, DelayedError, Worker } from 'bullmq'
import type { Logger } from 'pino'
import { jobId } from '../events/job.ts'
import type { Lane, Lanes, ScheduledJob } from '../events/lanes.ts'
import type { Transitions, WhyNot } from '../events/transitions.ts'
import type { QueueConnection } from '../redis/connections.ts'
import { bullPrefix } from '../redis/keys.ts'
import type { Afterwards } from './deliver-job.ts'

export type DeliveryWorkers = {
  start(): void
  /** Takes nothing new and resolves when nothing is in flight. Has no time limit of its own. */
  drain(): Promise<void>
  close(): Promise<void>
}

type Deps = {
  connectionOf: QueueConnection
  lanes: Lanes
  deliver: (job: ScheduledJob, owner: string) => Promise<Afterwards>
  keep: Transitions['keep']
  log: Logger
  /** Name of this process, unique. */
  owner: string
  concurrency: number
  lockDurationMs: number
}

/** Jobs whose worker vanished are taken up again however often; the retry policy counts these attempts and ends them. */
const maxStalledCount = 1_000_000

/** One BullMQ worker for each queue, also for those that are opened later. */
export function createWorkers(deps: Deps): DeliveryWorkers {
  const workers: Worker<ScheduledJob>[] = []
  const givings = new Set<Promise<void>>()
  let calls = 0
  let stopping = false

  const process = async (bullJob: BullJob<ScheduledJob>, token: string | undefined) => {
    calls += 1
    const afterwards = await deps.deliver(bullJob.data, `${deps.owner}.${calls}`)
    if (afterwards.kind === 'back') return afterwards
    if (afterwards.kind !== 'later') return
    await bullJob.moveToDelayed(afterwards.at, token)
    throw new DelayedError()
  }

  /** Not before BullMQ has let it go: whoever releases the job again at once would find it there, and add nothing. */
  const giveBack = async ({ n, round }: ScheduledJob, whyNot: WhyNot) => {
    try {
      await deps.keep(n, round, whyNot)
    } catch (err) {
      deps.log.warn({ err, job: jobId(n) }, 'a job could not be given back; the sweeper takes it up again')
    }
  }

  const open = (lane: Lane) => {
    const worker = new Worker<ScheduledJob>(lane.name, process, {
      connection: deps.connectionOf(lane.name),
      prefix: bullPrefix(lane.name),
      concurrency: deps.concurrency,
      lockDuration: deps.lockDurationMs,
      stalledInterval: deps.lockDurationMs,
      maxStalledCount,
    })
    worker.on(
      'error',
      onceInAWhile((err: Error) => deps.log.warn({ err, queue: lane.name }, 'worker trouble')),
    )
    worker.on('completed', (bullJob, afterwards: Afterwards | null | undefined) => {
      if (afterwards?.kind !== 'back') return
      const giving = giveBack(bullJob.data, afterwards).finally(() => givings.delete(giving))
      givings.add(giving)
    })
    worker.on('failed', (bullJob, err) => {
      deps.log.error({ err, job: bullJob?.id }, 'delivery broke off; the sweeper takes it up again')
    })
    return worker
  }

  return {
    start() {
      deps.lanes.onOpen((lane) => {
        if (!stopping) workers.push(open(lane))
      })
    },
    async drain() {
      stopping = true
      await Promise.all(workers.map((worker) => worker.pause()))
      await Promise.all(givings)
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.close()))
    },
  }
}

/** Redis being away makes BullMQ emit an error for each try; one in five seconds tells as much. */
function onceInAWhile(report: (error: Error) => void): (error: Error) => void {
  let last = 0
  return (error) => {
    if (Date.now() - last < 5_000) return
    last = Date.now()
    report(error)
  }
}
