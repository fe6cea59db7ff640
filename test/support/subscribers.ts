import { encodeCursor } from '../../src/journal/cursor.ts'
import { parseEntry, type RawEntry } from '../../src/journal/entry.ts'
import { keys } from '../../src/redis/keys.ts'
import { clientOf, until } from './client.ts'
import { followByEventStream } from './cut-event-stream.ts'
import { followBySocket } from './cut-socket.ts'
import { type Fleet, openFleet } from './fleet.ts'
import { adminToken, type GanchoProcess, soonTakenOver } from './gancho.ts'
import { seededRandom } from './random.ts'
import { type Book, type Course, openBook, openCourse, textOf } from './subscriber-course.ts'
import { alphanumericCnpj, numericCnpj, unusedCnpj } from './tenants.ts'

export type SubscriberPlan = {
  /** Half of them over event streams, half over WebSockets; a quarter of them administrators. */
  subscribers: number
  /** Of each subscriber. */
  cuts: number
  /** Each changes its status four times or more. */
  jobs: number
  senders: number
  workerKills: number
  redisRestarts: number
  seed: number
  settleWithinMs: number
}

export type Followed = {
  subscribers: { name: string; course: Course; expected: number[] }[]
  /** Changes in the journal. */
  changes: number
  /** For the eye. */
  figures: Record<string, unknown>
  book: Book
}

const cnpjs = [numericCnpj, alphanumericCnpj, unusedCnpj]
const gateways = 2
const changesPerJob = 4

/**
 * Has many subscribers follow the journal while jobs run, a worker is killed and Redis restarts. Each is cut off at moments that the
 * seed decides, and goes on at a random gateway. Tells what each got, and what the journal has for it.
 */
export async function followThroughCuts(plan: SubscriberPlan): Promise<Followed> {
  const since = performance.now()
  const env = { ...soonTakenOver, LOG_LEVEL: 'warn' }
  const fleet = await openFleet({ answer: (response) => response.end('ok'), env })
  try {
    const [worker, ...doors] = await Promise.all([
      fleet.start('worker'),
      ...Array.from({ length: gateways }, () => fleet.start('gateway')),
    ])
    const audiences = await audiencesOf(doors[0] as GanchoProcess)
    const start = await endOfJournal(fleet)
    const book = openBook()
    const subscribers = subscribe({ plan, audiences, doors, book, start })
    const reading = () => subscribers.reduce((sum, { course }) => sum + course.got.length, 0)
    const posted = { jobs: 0 }
    const trouble = sabotage(plan, fleet, worker, posted)
    await postAll(plan, audiences.slice(1), doors, posted)
    await trouble
    const postedAfter = performance.now() - since
    await untilSettled(fleet, plan.settleWithinMs)
    const journal = await readJournal(fleet, start, book)
    const expectations = subscribers.map((one) => ({ ...one, expected: journal.of(one.cnpj) }))
    await until(() => expectations.every(({ course, expected }) => course.got.length >= expected.length), {
      withinMs: plan.settleWithinMs,
      what: 'every subscriber has got what the journal has',
    }).catch(() => undefined)
    for (const { following } of subscribers) following.close()
    const figures = {
      ...figuresOf(subscribers.map(({ course }) => course)),
      messages: reading(),
      secondsToPost: Math.round(postedAfter / 1_000),
      seconds: Math.round((performance.now() - since) / 1_000),
    }
    return { subscribers: expectations, changes: journal.of(null).length, figures, book }
  } finally {
    await fleet.close()
  }
}

type Audience = { cnpj: string | null; token: string }

/** The administrator, who sees all, and some tenants. */
async function audiencesOf(gateway: GanchoProcess): Promise<Audience[]> {
  const admin = clientOf(gateway)
  const tenants = await Promise.all(cnpjs.map(async (cnpj) => ({ cnpj, token: await admin.newTenant(cnpj) })))
  return [{ cnpj: null, token: adminToken }, ...tenants]
}

type Begin = {
  plan: SubscriberPlan
  audiences: Audience[]
  doors: GanchoProcess[]
  book: Book
  start: string
}

function subscribe({ plan, audiences, doors, book, start }: Begin) {
  const random = seededRandom(plan.seed)
  const pick = <One>(list: readonly One[]) => list[Math.floor(random() * list.length)] as One
  return Array.from({ length: plan.subscribers }, (_, i) => {
    const { cnpj, token } = audiences[Math.floor(i / 2) % audiences.length] as Audience
    const changes = changesPerJob * Math.floor(plan.jobs / (cnpj === null ? 1 : cnpjs.length))
    const cutAt = Array.from({ length: plan.cuts }, () => Math.ceil(random() * 0.95 * changes))
    const course = openCourse(
      book,
      start,
      cutAt.toSorted((a, b) => a - b),
    )
    const follow = i % 2 ? followBySocket : followByEventStream
    const origin = () => pick(doors).origin
    const following = follow({ course, token, origin, pauseMs: () => 10 + random() * 90 })
    return { name: `${i} ${follow.name} ${cnpj ?? 'admin'}`, cnpj, course, following }
  })
}

/** Kills the worker, of which another takes the place, and restarts Redis, spread over the time in which jobs are posted. */
async function sabotage(plan: SubscriberPlan, fleet: Fleet, first: GanchoProcess, posted: { jobs: number }) {
  let worker = first
  const acts = [
    ...Array.from({ length: plan.workerKills }, () => async () => {
      await worker.kill9()
      worker = await fleet.start('worker')
    }),
    ...Array.from({ length: plan.redisRestarts }, () => () => fleet.redis.restart({ keepData: true })),
  ]
  for (const [i, act] of acts.entries()) {
    const at = ((i + 1) / (acts.length + 1)) * plan.jobs
    await until(() => posted.jobs >= at, { withinMs: plan.settleWithinMs, what: `${at} jobs` })
    await act()
  }
}

/** Posts to the tenants and gateways in turn, from all senders at once, each event until it is accepted. */
async function postAll(
  { jobs, senders }: SubscriberPlan,
  tenants: Audience[],
  doors: GanchoProcess[],
  posted: { jobs: number },
) {
  const clients = doors.map((door) => tenants.map(({ token }) => clientOf(door, token)))
  let next = 0
  const postOne = async (i: number) => {
    const client = clients[i % doors.length]?.[i % tenants.length]
    for (;;) {
      const answer = await client?.post({ i }, { 'idempotency-key': `event-${i}` })
      if (answer?.status === 202) return
      if (answer?.status !== 503) throw new Error(`event ${i}: ${JSON.stringify(answer)}`)
    }
  }
  const send = async () => {
    while (next < jobs) {
      await postOne(next++)
      posted.jobs += 1
    }
  }
  await Promise.all(Array.from({ length: senders }, send))
}

async function untilSettled({ data }: Fleet, withinMs: number) {
  let open = Number.NaN
  const isOver = async () => {
    open = (await data.xlen(keys.inbox)) + (await data.zcard(keys.due))
    return open === 0
  }
  await until(isOver, { withinMs, what: () => `every job has come to its end, and not ${open} left` })
}

async function endOfJournal({ data }: Fleet): Promise<string> {
  const epoch = (await data.get(keys.epoch)) as string
  const [last] = await data.xrevrange(keys.journal, '+', '-', 'COUNT', 1)
  return encodeCursor({ epoch, id: last?.[0] ?? '0-0' })
}

/** The journal as it lies in Redis, in the form in which subscribers get it. */
async function readJournal({ data }: Fleet, start: string, book: Book) {
  const epoch = (await data.get(keys.epoch)) as string
  const entries = ((await data.xrange(keys.journal, '-', '+')) as RawEntry[]).map(parseEntry)
  if (encodeCursor({ epoch, id: '0-0' }) !== start) throw new Error('The journal was not empty at first.')
  const lines = entries.map(({ id, n, status, cnpj }) => ({
    cnpj,
    number: book.numberOf(textOf({ cursor: encodeCursor({ epoch, id }), jobId: `ID-${n}`, status })),
  }))
  return {
    of: (cnpj: string | null) =>
      lines.filter((line) => cnpj === null || line.cnpj === cnpj).map(({ number }) => number),
  }
}

function figuresOf(courses: readonly Course[]) {
  const troubles: Record<string, number> = {}
  for (const trouble of courses.flatMap((course) => course.troubles))
    troubles[trouble] = (troubles[trouble] ?? 0) + 1
  const connections = courses.reduce((sum, course) => sum + course.connections, 0)
  return { connections, troubles }
}
