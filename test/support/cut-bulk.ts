import { keys } from '../../src/redis/keys.ts'
import { type clientOf, until } from './client.ts'
import { attemptsAt, clientsOf, type Fleet, openFleet } from './fleet.ts'
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
  startMs + (5 + 2 * kills + redisRestarts) * stepMs

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
const pageSize = 200

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
  await postAll(tenant, plan.jobs)
  const token = await untilAll(tenant, 'FAILED', plan)
  downstream.isGone = false

  const { commitReprocess } = await tenant.graphql<{ commitReprocess: { id: string } }>(
    'mutation ($token: String!, $rate: Int) { commitReprocess(token: $token, ratePerSecond: $rate) { id } }',
    { token, rate: plan.ratePerSecond },
  )
  const { id } = commitReprocess
  const reached: Reached = (what, isReached) => untilBulk({ client: tenant, id, plan, what, isReached })
  const doneAtKill = await interrupt({ plan, fleet, workers, id, reached })
  const bulk = await reached('the bulk is over', ({ status }) => status !== 'RUNNING')
  await untilAll(tenant, 'DELIVERED', plan)
  const seen = new Set<string>()
  const sentTwice = attemptsAt(fleet.receiver).filter((one) => seen.size === seen.add(one).size)
  return { bulk, jobs: await allJobs(admin), doneAtKill, sentTwice }
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
      const owner = await until(() => fleet.data.get(keys.lease(`bulk:${id}`)), { what: 'a worker has it' })
      const at = workers.findIndex(({ pid }) => String(pid) === owner.split('.').at(-2))
      await workers[at]?.kill9()
      if (cut < plan.kills) workers[at] = await fleet.start('worker')
    } else await fleet.redis.restart({ keepData: true })
  }
  return doneAtKill
}

async function postAll(tenant: Client, count: number): Promise<void> {
  let posted = 0
  const send = async () => {
    while (posted < count) {
      posted += 1
      await tenant.postJob({ i: posted })
    }
  }
  await Promise.all(Array.from({ length: senders }, send))
}

/** Waits until history has every job with this status, and answers a token for them. */
async function untilAll(client: Client, status: 'FAILED' | 'DELIVERED', plan: BulkPlan): Promise<string> {
  let seen = 0
  const check = async () => {
    const { count, token } = await matching(client, { statuses: [status] })
    seen = count
    return count === plan.jobs && token
  }
  const what = () => `all ${plan.jobs} jobs are ${status}, ${seen} when last seen`
  return until(check, { what, withinMs: plan.stepMs })
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

async function matching(client: Client, filter: object): Promise<{ count: number; token: string }> {
  const query = 'mutation ($filter: JobFilter!) { previewReprocess(filter: $filter) { count token } }'
  return (await client.graphql<{ previewReprocess: { count: number; token: string } }>(query, { filter }))
    .previewReprocess
}

/** Undefined while Redis is away. */
async function showBulk(client: Client, id: string): Promise<Bulk | undefined> {
  const query = 'query ($id: ID!) { bulkReprocess(id: $id) { status total done skipped { reason count } } }'
  try {
    return (await client.graphql<{ bulkReprocess: Bulk }>(query, { id })).bulkReprocess
  } catch (error) {
    if (String(error).includes('REDIS_UNAVAILABLE')) return undefined
    throw error
  }
}

async function allJobs(client: Client): Promise<Job[]> {
  type Page = { jobs: { edges: { node: Job }[]; pageInfo: { endCursor: string; hasNextPage: boolean } } }
  const query = `query ($after: String) { jobs(first: ${pageSize}, after: $after) {
    edges { node { id status reprocessCount attempts { round outcome } } } pageInfo { endCursor hasNextPage } } }`
  const jobs: Job[] = []
  for (let after: string | null = null; ; ) {
    const page: Page = await client.graphql<Page>(query, { after })
    jobs.push(...page.jobs.edges.map(({ node }) => node))
    if (!page.jobs.pageInfo.hasNextPage) return jobs
    after = page.jobs.pageInfo.endCursor
  }
}
