import { join } from 'node:path'
import { Agent, request } from 'undici'
import type { Fleet } from '../../support/fleet.ts'
import { adminToken, type GanchoProcess } from '../../support/gancho.ts'
import { busyTenant, seedHistory } from '../../support/seed-history.ts'
import { seedTenants } from '../../support/seed-tenants.ts'
import { eventBody, jsonHeaders } from '../harness/events.ts'
import { measuredFleet } from '../harness/redis.ts'
import type { Contestant, Figure, Goal, Sample, Scenario, ScenarioOptions } from '../harness/scenario.ts'
import { medianMs } from '../harness/statistics.ts'

type Size = { name: string; jobs: number; tenants: number }
const small: Size = { name: '10 thousand jobs, 10 tenants', jobs: 10_000, tenants: 10 }
const manyJobs: Size = { name: '1 million jobs, 10 tenants', jobs: 1_000_000, tenants: 10 }
const manyTenants: Size = { name: '10 thousand jobs, 100,000 tenants', jobs: 10_000, tenants: 100_000 }

const repeats = 100
const figures: Figure[] = [
  { name: 'intake', title: 'intake, ms', digits: 2 },
  { name: 'job', title: 'job by id, ms', digits: 2 },
  { name: 'list', title: 'page of 20, ms', digits: 2 },
  { name: 'token', title: 'token look-up, ms', digits: 2 },
]
const grows = (larger: Size): Goal[] =>
  figures.map(({ name, title }) => ({
    title: `${title.replace(', ms', '')}: ${larger.name} ÷ ${small.name}`,
    ratio: (median) => median(larger.name, name) / median(small.name, name),
    atMost: 1.5,
  }))

export const growth: Scenario = {
  name: 'growth',
  title: 'Growth: medians of single requests, one after the other, as history (SQLite) and tenants grow',
  figures,
  goals: [...grows(manyJobs), ...grows(manyTenants)],
  open: async (options) => {
    const contestants: Contestant[] = []
    for (const size of [small, manyJobs, manyTenants]) contestants.push(await contestantOf(size, options))
    return contestants
  },
}

type World = Size & { gateway: GanchoProcess; agent: Agent; tokens: readonly string[]; turn: number }

async function contestantOf(size: Size, { profiled }: ScenarioOptions): Promise<Contestant> {
  const fleet: Fleet = await measuredFleet({ answer: (response) => response.end() })
  const { DATA_DIR = '', ENCRYPTION_SECRET = '' } = fleet.env
  const file = join(DATA_DIR, 'gancho.db')
  await seedHistory(file, size.jobs, { attempts: true })
  const tokens = await seedTenants(file, size.tenants, ENCRYPTION_SECRET)
  const gateway = await fleet.start('gateway', { LOG_LEVEL: 'error', ...profiled })
  const agent = new Agent({ connections: 1 })
  const world: World = { ...size, gateway, agent, tokens, turn: 0 }
  return {
    ...{ name: size.name, baseline: size === small },
    measure: () => measure(world),
    async close() {
      await agent.close()
      await gateway.stop()
      await fleet.close()
    },
  }
}

const jobQuery =
  'query ($id: ID!) { job(id: $id) { id status eventType receivedAt attempts { number outcome } } }'
const listQuery = `query ($filter: JobFilter) { jobs(first: 20, filter: $filter) {
  edges { node { id status eventType receivedAt attemptCount } } } }`

/** Which of so many: another one each time, far from the last. */
const another = (world: World, many: number) => (++world.turn * 7_919) % many

async function measure(world: World): Promise<Sample> {
  const { tokens, jobs } = world
  const tokenAt = (at: number) => tokens[at] ?? ''
  const aJob = () => ({ id: `ID-${1 + another(world, jobs)}` })
  const graphql = (token: string, query: string, variables: object) =>
    send(world, '/graphql', token, JSON.stringify({ query, variables }))
  const filter = { cnpj: busyTenant }
  return {
    intake: await medianMs(repeats, () => send(world, '/webhook', tokenAt(0), eventBody)),
    job: await medianMs(repeats, () => graphql(adminToken, jobQuery, aJob())),
    list: await medianMs(repeats, () => graphql(adminToken, listQuery, { filter })),
    token: await medianMs(repeats, () =>
      graphql(tokenAt(another(world, tokens.length)), '{ viewer { kind } }', {}),
    ),
  }
}

async function send({ gateway, agent }: World, path: string, token: string, body: string): Promise<void> {
  const headers = { ...jsonHeaders, authorization: `Bearer ${token}` }
  const answer = await request(`${gateway.origin}${path}`, {
    method: 'POST',
    dispatcher: agent,
    headers,
    body,
  })
  const text = await answer.body.text()
  const isRight = answer.statusCode < 300 && !text.includes('"errors"') && !text.includes('"job":null')
  if (!isRight) throw new Error(`${path} answered ${answer.statusCode} ${text}`)
}
