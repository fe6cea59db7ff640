import { keys } from '../../src/redis/keys.ts'
import { type clientOf, until } from './client.ts'
import { clientsOf, type Fleet, openFleet, showJob } from './fleet.ts'
import { startLedgerReceiver } from './ledger-receiver.ts'
import { seededRandom } from './random.ts'
import { sabotage } from './sabotage.ts'

export type LedgerPlan = {
  events: number
  senders: number
  /** How often a worker is killed; another takes its place at once. */
  kills: number
  /** How often Redis goes away, stopped or killed, and comes back with its file. */
  redisRestarts: number
  /** Decides what happens when. */
  seed: number
  /** How long the last job may take to come to its end. */
  settleWithinMs: number
}

export type Ledger = {
  /** The job of each event. */
  accepted: string[]
  /** What history shows. */
  delivered: Set<string>
  failed: Set<string>
  /** Jobs that the receiver took. */
  taken: Set<string>
  /** Attempts that came to the receiver more than once. */
  sentTwice: string[]
  /** The recorded outcomes of the attempts that the receiver took, for every job that it took more than once. */
  takenAgain: Map<string, (string | undefined)[]>
  /** For the eye. */
  figures: Record<string, number>
}

const workers = 2
const pageSize = 200
/** Three start at once, beside all else that the machine is busy with, and killed ones anew under load. */
const startWithinMs = 90_000
const timings = {
  RETRY_SCHEDULE_SECONDS: '0,0,0,0,0',
  WORKER_CONCURRENCY: '10',
  LOCK_DURATION_MS: '1000',
  // Every failed attempt would have its line.
  LOG_LEVEL: 'warn',
}

/**
 * Posts events to a gateway while workers are killed and Redis goes away, at moments that the seed decides; waits until every job has
 * come to its end; tells what senders, receiver and history each say about it. A sender that gets no 202 tries again with the same
 * idempotency key.
 */
export async function keepLedger(plan: LedgerPlan): Promise<Ledger> {
  const since = performance.now()
  // Streams of their own: the receiver draws in the order of arrival, which no seed decides.
  const random = seededRandom(plan.seed)
  const receiver = await startLedgerReceiver(seededRandom(plan.seed + 1), 40)
  const fleet = await openFleet({ receiver, env: timings, startWithinMs })
  try {
    const [gateway, ...crew] = await Promise.all([
      fleet.start('gateway'),
      ...Array.from({ length: workers }, () => fleet.start('worker')),
    ])
    const { admin, tenant } = await clientsOf(gateway)
    const trouble = sabotage({ plan, random, fleet, crew, progress: receiver.book.total })
    const sent = await postAll(tenant, plan)
    const postedAfter = performance.now() - since
    await trouble
    await untilSettled(fleet, plan.settleWithinMs)
    const [delivered, failed] = await Promise.all(
      ['DELIVERED', 'FAILED'].map((status) => idsOf(admin, status)),
    )
    const { arrivals, taken } = receiver.book
    return {
      accepted: sent.accepted,
      delivered: delivered ?? new Set(),
      failed: failed ?? new Set(),
      taken: new Set(taken.keys()),
      sentTwice: [...arrivals].filter(([, times]) => times > 1).map(([attempt]) => attempt),
      takenAgain: await outcomesOf(
        admin,
        [...taken].filter(([, attempts]) => attempts.length > 1),
      ),
      figures: {
        refusals: sent.refusals,
        arrivals: receiver.book.total(),
        secondsToPost: Math.round(postedAfter / 1_000),
        seconds: Math.round((performance.now() - since) / 1_000),
      },
    }
  } finally {
    await fleet.close()
  }
}

type Client = ReturnType<typeof clientOf>

/** Posts event 0, 1, 2, … from all senders at once, each until it is accepted. */
async function postAll({ post }: Client, { events, senders }: LedgerPlan) {
  const accepted: string[] = []
  let next = 0
  let refusals = 0
  const postOne = async (i: number) => {
    for (;;) {
      const { status, body } = await post({ i }, { 'idempotency-key': `event-${i}` })
      if (status === 202) return void accepted.push(body.id as string)
      if (status !== 503) throw new Error(`event ${i}: ${status} ${JSON.stringify(body)}`)
      refusals += 1
    }
  }
  const send = async () => {
    while (next < events) await postOne(next++)
  }
  await Promise.all(Array.from({ length: senders }, send))
  return { accepted, refusals }
}

/** Nothing waits in the inbox, there is no job left that the sweeper would look after, and history knows of all that happened. */
async function untilSettled({ data }: Fleet, withinMs: number) {
  let left = {}
  const isOver = async () => {
    const [inbox, due] = [await data.xlen(keys.inbox), await data.zcard(keys.due)]
    const [last] = await data.xrevrange(keys.journal, '+', '-', 'COUNT', 1)
    const isProjected = (await data.get(keys.projected)) === last?.[0]
    left = { inbox, due, isProjected }
    return inbox + due === 0 && isProjected
  }
  await until(isOver, { withinMs, what: () => `every job has come to its end, but ${JSON.stringify(left)}` })
}

/** All jobs that history shows in this status. */
async function idsOf(admin: Client, status: string): Promise<Set<string>> {
  const query = `query ($status: JobStatus!, $after: String) {
    jobs(first: ${pageSize}, after: $after, filter: { statuses: [$status] }) {
      edges { node { id } } pageInfo { hasNextPage endCursor } } }`
  type Page = { edges: { node: { id: string } }[]; pageInfo: { hasNextPage: boolean; endCursor: string } }
  const ids = new Set<string>()
  for (let after: string | undefined; ; ) {
    const { jobs } = await admin.graphql<{ jobs: Page }>(query, { status, after })
    for (const { node } of jobs.edges) ids.add(node.id)
    if (!jobs.pageInfo.hasNextPage) return ids
    after = jobs.pageInfo.endCursor
  }
}

async function outcomesOf(admin: Client, jobs: readonly [string, string[]][]) {
  const outcomes = new Map<string, (string | undefined)[]>()
  for (const [id, taken] of jobs) {
    const { attempts } = await showJob(admin, id)
    const outcomeOf = (name: string) =>
      attempts.find(({ round, number }) => name === `${id}.${round}.${number}`)?.outcome
    outcomes.set(id, taken.map(outcomeOf))
  }
  return outcomes
}
