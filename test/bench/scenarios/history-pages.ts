import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { clientOf } from '../../support/client.ts'
import { type GanchoProcess, sharedEnvironment, startGancho } from '../../support/gancho.ts'
import { busyTenant, seedHistory } from '../../support/seed-history.ts'
import { startBenchRedis } from '../harness/redis.ts'
import type { Contestant, Figure, Goal, Sample, Scenario } from '../harness/scenario.ts'
import { medianMs } from '../harness/statistics.ts'

const sizes = { small: 10_000, large: 1_000_000 }
/** A thousand pages of this size are fewer jobs than each filter finds in the small history. */
const pageSize = 5
const pages = 1_000
const repeats = 40

const filters = {
  delivered: { title: 'status', filter: { statuses: ['DELIVERED'] } },
  tenant: { title: 'tenant', filter: { cnpj: busyTenant } },
  text: { title: 'text', filter: { text: 'padaria' } },
} as const
type FilterName = keyof typeof filters
const filterNames = Object.keys(filters) as FilterName[]

const nameOf = (jobs: number) => `${jobs.toLocaleString('en')} jobs`
const figures: Figure[] = [
  ...filterNames.flatMap((name) => [
    { name: `${name}First`, title: `${filters[name].title}, page 1, ms`, digits: 2 },
    { name: `${name}Far`, title: `${filters[name].title}, page 1,000, ms`, digits: 2 },
  ]),
  { name: 'memoryMb', title: 'memory, MB', digits: 0 },
]
const grows = (figure: string, title: string, atMost: number): Goal => ({
  title: `${title}: a million jobs ÷ ten thousand`,
  ratio: (median) => median(nameOf(sizes.large), figure) / median(nameOf(sizes.small), figure),
  atMost,
})

export const historyPages: Scenario = {
  name: 'history-pages',
  title: 'Pages of a filtered list of jobs over GraphQL, in histories of two sizes (SQLite)',
  figures,
  goals: [
    ...filterNames.flatMap((name) => [
      grows(`${name}First`, `${filters[name].title}, page 1`, 2),
      grows(`${name}Far`, `${filters[name].title}, page 1,000`, 2),
    ]),
    grows('memoryMb', 'memory', 1.5),
  ],
  async open({ profiled }) {
    const contestants: Contestant[] = []
    for (const jobs of Object.values(sizes)) contestants.push(await contestantOf(jobs, profiled))
    return contestants
  },
}

async function contestantOf(jobs: number, profiled: Record<string, string>): Promise<Contestant> {
  const redis = await startBenchRedis()
  const shared = sharedEnvironment(redis.url, 'http://127.0.0.1:9/')
  await seedHistory(join(shared.dataDir, 'gancho.db'), jobs)
  const gancho = await startGancho({
    env: { ...shared.env, ROLE: 'gateway', LOG_LEVEL: 'error', ...profiled },
  })
  const cursors = new Map<FilterName, string>()
  for (const name of filterNames) cursors.set(name, await farCursor(gancho, name))
  return {
    name: nameOf(jobs),
    baseline: false,
    measure: () => measure(gancho, cursors),
    async close() {
      await gancho.stop()
      await redis.stop()
      await shared.remove()
    },
  }
}

type Page = { edges: { cursor: string; node: { id: string } }[]; pageInfo: { endCursor: string } }

async function page(gancho: GanchoProcess, name: FilterName, first: number, after?: string): Promise<Page> {
  const query = `query ($filter: JobFilter, $first: Int, $after: String) { jobs(filter: $filter, first: $first, after: $after) {
    edges { cursor node { id status eventType receivedAt attemptCount } } pageInfo { endCursor } } }`
  const { filter } = filters[name]
  const { jobs } = await clientOf(gancho).graphql<{ jobs: Page }>(query, { filter, first, after })
  if (jobs.edges.length !== first) throw new Error(`${name}: ${jobs.edges.length} jobs in place of ${first}`)
  return jobs
}

/** Where page 1,000 begins. */
async function farCursor(gancho: GanchoProcess, name: FilterName): Promise<string> {
  const before = pageSize * (pages - 1)
  let after: string | undefined
  for (let left = before; left > 0; ) {
    const first = Math.min(left, 200)
    after = (await page(gancho, name, first, after)).pageInfo.endCursor
    left -= first
  }
  return after ?? ''
}

async function measure(gancho: GanchoProcess, cursors: ReadonlyMap<FilterName, string>): Promise<Sample> {
  const sample: Record<string, number> = {}
  for (const name of filterNames) {
    sample[`${name}First`] = await medianMs(repeats, () => page(gancho, name, pageSize))
    sample[`${name}Far`] = await medianMs(repeats, () => page(gancho, name, pageSize, cursors.get(name)))
  }
  const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(gancho.pid)])
  return { ...sample, memoryMb: Number(stdout) / 1_024 }
}
