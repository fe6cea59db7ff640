import { keys } from '../../src/redis/keys.ts'
import { type clientOf, until } from './client.ts'
import { attemptsAt, clientsOf, type Fleet, openFleet, unlessAway } from './fleet.ts'
import { type GanchoProcess, soonTakenOver } from './gancho.ts'

export type BulkPlan = {
  jobs: number
  ratePerSecond: number
  kills: number
  redisRestarts: number
  /** Limit of each step. */
  stepMs: number
}

/** Longer than all steps of `cutBulk` together: whichever does not end says so itself. */
export const limitOf = ({ kills, redisRestarts, stepMs }: BulkPlan) =>
  startMs * (1 + kills) + (4 + 2 * kills + redisRestarts) * stepMs

type Attempt = { round: number; outcome: string }
type Job = { id: string; status: string; reprocessCount: number; attempts: Attempt[] }
type Bulk = { status: string; total: number; done: number; skipped: { reason: string; count: number }[] }

/** How a bulk ended that was cut in the middle, and what became of its jobs. */
export type CutBulk = {
  bulk: Bulk
  jobs: Job[]
  /** How far it was at each kill. */
  doneAtKill: number[]
  /** Attempts that came to the receiver more than once. */
  sentTwice: string[]
}

type Client = ReturnType<typeof clientOf>

const senders = 32
/** For three processes and a Redis server. */
const startMs = 120_000

/** Whether it answers 410, or takes what comes. */
export type Downstream = { isGone: boolean }

/** Over a receiver that answers as `downstream` says. */
export function openDownstream(downstream: Downstream): Promise<Fleet> {
  return openFleet({
    env: soonTakenOver,
    answer(response) {
      response.statusCode = downstream.isGone ? 410 : 200
      response.end()
    },
  })
}

/** Jobs that all failed are queued again by one bulk, while workers are killed, and Redis too, as often as planned. */
export async function cutBulk(plan: BulkPlan, fleet: Fleet, downstream: Downstream): Promise<CutBulk> {
  const [gateway, ...workers] = await Promise.all([
    fleet.start('gateway'),
    fleet.start('worker'),
    fleet.start('worker'),
  ])
  const { admin, tenant } = await clientsOf(gateway)
  const ids = await postAll(tenant, plan.jobs)
  const token = await untilAllFailed(tenant, plan)
  downstream.isGone = false

  const { commitReprocess } = await tenant.graphql<{ commitReprocess: { id: string } }>(
    'mutation ($token: String!, $rate: Int) { commitReprocess(token: $token, ratePerSecond: $rate) { id } }',
    { token, rate: plan.ratePerSecond },
  )
  const { id } = commitReprocess
  const reached: Reached = (what, isReached) => untilBulk({ client: tenant, id, plan, what, isReached })
  const doneAtKill = await interrupt({ plan, fleet, workers, id, reached })
  const bulk = await reached('the bulk is over', ({ status }) => status !== 'RUNNING')
  const jobs = await untilDelivered(admin, ids, fleet, plan)
  const seen = new Set<string>()
  const sentTwice = attemptsAt(fleet.receiver).filter((one) => seen.size === seen.add(one).size)
  return { bulk, jobs, doneAtKill, sentTwice }
}

type Reached = (what: string, isReached: (bulk: Bulk) => boolean) => Promise<Bulk>

type Interrupted = {
  plan: BulkPlan
  fleet: Fleet
  workers: GanchoProcess[]
  id: string
  reached: Reached
}

/** At even parts of the way: first kills of the worker that has the bulk, then restarts. */
async function interrupt({ plan, fleet, workers, id, reached }: Interrupted): Promise<number[]> {
  const cuts = plan.kills + plan.redisRestarts
  const doneAtKill: number[] = []
  for (let cut = 1; cut <= cuts; cut += 1) {
    const from = (plan.jobs * cut) / (cuts + 2)
    const { done } = await reached(`${from} jobs are queued again`, (bulk) => bulk.done >= from)
    if (cut <= plan.kills) {
      doneAtKill.push(done)
      const owner = await until(() => fleet.data.get(keys.lease(`bulk:${id}`)), {
        what: `a worker has ${id}, or it was over before it was cut`,
        withinMs: plan.stepMs,
      })
      const at = workers.findIndex(({ pid }) => String(pid) === owner.split('.').at(-2))
      if (!workers[at]) throw new Error(`none of the workers is ${owner}`)
      await workers[at].kill9()
      if (cut < plan.kills) workers[at] = await fleet.start('worker')
    } else await fleet.redis.restart({ keepData: true })
  }
  return doneAtKill
}

async function postAll(tenant: Client, count: number): Promise<string[]> {
  const ids: string[] = []
  let posted = 0
  const send = async () => {
    while (posted < count) {
      posted += 1
      ids.push(await tenant.postJob({ i: posted }))
    }
  }
  await Promise.all(Array.from({ length: senders }, send))
  return ids
}

/** Waits until history has every job as FAILED, and answers a token for them. */
async function untilAllFailed(tenant: Client, { jobs, stepMs }: BulkPlan): Promise<string> {
  type Preview = { previewReprocess: { count: number; token: string } }
  let seen = 0
  const check = async () => {
    const query = 'mutation { previewReprocess(filter: { statuses: [FAILED] }) { count token } }'
    const { count, token } = (await tenant.graphql<Preview>(query)).previewReprocess
    seen = count
    return count === jobs && token
  }
  return until(check, { what: () => `${jobs} jobs are FAILED, ${seen} when last seen`, withinMs: stepMs })
}

/** The jobs as Gancho has them once they are delivered; history may be behind, because whoever was killed may have written it. */
async function untilDelivered(
  client: Client,
  ids: readonly string[],
  { receiver }: Fleet,
  { stepMs }: BulkPlan,
): Promise<Job[]> {
  const sent = () => new Set(attemptsAt(receiver).flatMap((one) => /^(.+)\.1\.\d+$/.exec(one)?.[1] ?? []))
  await until(() => sent().size === ids.length, {
    what: () => `all are sent again, but for ${ids.filter((id) => !sent().has(id)).slice(0, 10)}`,
    withinMs: stepMs,
  })
  const jobs: Job[] = []
  for (const id of ids) {
    let job: Job | undefined
    const isDelivered = async () => {
      job = await showJob(client, id)
      return job?.status === 'DELIVERED' && job
    }
    const what = () => `${id} is delivered, last seen as ${JSON.stringify(job)}`
    jobs.push(await until(isDelivered, { what, withinMs: stepMs }))
  }
  return jobs
}

type Watched = {
  client: Client
  id: string
  plan: BulkPlan
  what: string
  isReached: (bulk: Bulk) => boolean
}

async function untilBulk({ client, id, plan, what, isReached }: Watched): Promise<Bulk> {
  let seen: Bulk | undefined
  const check = async () => {
    const bulk = await showBulk(client, id)
    seen = bulk ?? seen
    return bulk && isReached(bulk) && bulk
  }
  return until(check, { what: () => `${what}, last seen as ${JSON.stringify(seen)}`, withinMs: plan.stepMs })
}

async function showJob(client: Client, id: string): Promise<Job | undefined> {
  const query = 'query ($id: ID!) { job(id: $id) { id status reprocessCount attempts { round outcome } } }'
  return (await unlessAway(client.graphql<{ job: Job }>(query, { id })))?.job
}

async function showBulk(client: Client, id: string): Promise<Bulk | undefined> {
  const query = 'query ($id: ID!) { bulkReprocess(id: $id) { status total done skipped { reason count } } }'
  return (await unlessAway(client.graphql<{ bulkReprocess: Bulk }>(query, { id })))?.bulkReprocess
}
