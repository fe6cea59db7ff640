import { Redis } from 'ioredis'
import { keys } from '../../src/redis/keys.ts'
import { clientOf, until } from './client.ts'
import { type GanchoProcess, sharedEnvironment, startGancho } from './gancho.ts'
import { type Answer, type Receiver, startReceiver } from './receiver.ts'
import { startTestRedis, type TestRedis } from './redis.ts'

type Role = 'all' | 'gateway' | 'worker'
type Variables = Record<string, string>

export type Fleet = {
  redis: TestRedis
  /** A look into the data, past Gancho. */
  data: Redis
  receiver: Receiver
  /** The variables that its processes share. */
  env: Variables
  start(role: Role, env?: Variables): Promise<GanchoProcess>
  /** Id of the process that has the attempt of this job in hand. */
  deliveringPid(id: string): Promise<number>
  /** Ends what still runs and removes all data. */
  close(): Promise<void>
}

/**
 * `startWithinMs`: how long a process may take to start. `checkout`: of Gancho, this one unless another is given. `redisConfig`: see
 * `startTestRedis`.
 */
export type FleetOptions = {
  env?: Variables
  startWithinMs?: number
  checkout?: URL | undefined
  redisConfig?: readonly string[]
} & ({ answer: Answer } | { receiver: Receiver })

/** A Redis server, a receiver, and as many Gancho processes over them as a test starts. */
export async function openFleet(options: FleetOptions): Promise<Fleet> {
  const { env = {}, startWithinMs, checkout, redisConfig = [] } = options
  const redis = await startTestRedis({ config: redisConfig })
  const receiver = 'receiver' in options ? options.receiver : await startReceiver(options.answer)
  const shared = sharedEnvironment(redis.url, receiver.url)
  const data = new Redis(redis.url)
  // Tests take the server away; ioredis comes back by itself.
  data.on('error', () => undefined)
  const processes = new Set<GanchoProcess>()
  return {
    redis,
    data,
    receiver,
    env: { ...shared.env, ...env },
    async start(role, more = {}) {
      const started = await startGancho({
        env: { ...shared.env, ROLE: role, ...env, ...more },
        ...(startWithinMs !== undefined && { startWithinMs }),
        checkout,
      })
      processes.add(started)
      return started
    },
    async deliveringPid(id) {
      const ownerOf = () => data.hget(keys.job(Number(id.slice('ID-'.length))), 'owner')
      const owner = await until(ownerOf, { what: `a worker has ${id}` })
      return Number(owner.split('.').at(-3))
    },
    async close() {
      await Promise.all([...processes].map((one) => one.kill9()))
      data.disconnect()
      await receiver.close()
      await redis.stop()
      await shared.remove()
    },
  }
}

/** A new tenant's client of that gateway, and the administrator's. */
export async function clientsOf(gateway: GanchoProcess, cnpj = '11222333000181') {
  const admin = clientOf(gateway)
  const token = await admin.newTenant(cnpj)
  return { admin, tenant: clientOf(gateway, token), token }
}

export type ShownAttempt = {
  number: number
  round: number
  outcome: string
  statusCode: number | null
  error: string | null
}
export type ShownJob = {
  status: string
  attemptCount: number
  attempts: ShownAttempt[]
  failure: { reason: string; attempts: number } | null
}

/** A job as GraphQL shows it. */
export async function showJob(client: ReturnType<typeof clientOf>, id: string): Promise<ShownJob> {
  const query = `query ($id: ID!) { job(id: $id) {
    status attemptCount attempts { number round outcome statusCode error } failure { reason attempts } } }`
  const { job } = await client.graphql<{ job: ShownJob }>(query, { id })
  return job
}

/** Waits until the job has that status, and shows it. */
export function untilStatus(client: ReturnType<typeof clientOf>, id: string, status: string) {
  let seen: ShownJob | undefined
  const check = async () => {
    seen = (await unlessAway(showJob(client, id))) ?? seen
    return seen?.status === status && seen
  }
  return until(check, { what: () => `${id} is ${status}, last seen as ${JSON.stringify(seen)}` })
}

/** Undefined while Redis is away, or slower than a gateway waits for it: of its connections one may be back before the other. */
export async function unlessAway<Data>(asked: Promise<Data>): Promise<Data | undefined> {
  try {
    return await asked
  } catch (error) {
    if (String(error).includes('REDIS_UNAVAILABLE')) return undefined
    throw error
  }
}

/** The attempts that reached the receiver, as `<job>.<round>.<attempt>`, in order. */
export function attemptsAt(receiver: Receiver): string[] {
  return receiver.received.map(({ headers }) =>
    ['job', 'round', 'attempt'].map((name) => headers[`x-gancho-${name}`]).join('.'),
  )
}
