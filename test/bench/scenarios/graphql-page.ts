import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { clientOf } from '../../support/client.ts'
import { adminToken } from '../../support/gancho.ts'
import { busyTenant, seedHistory } from '../../support/seed-history.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { startBaseline, startHelper } from '../harness/child.ts'
import { cpuUs } from '../harness/cpu.ts'
import { jsonHeaders } from '../harness/events.ts'
import { measuredFleet } from '../harness/redis.ts'
import type { Checkout, Contestant, Sample, Scenario, ScenarioOptions } from '../harness/scenario.ts'
import { median, percentile } from '../harness/statistics.ts'
import type { Posted, Target } from '../load/posts.ts'

const connections = 16
const jobs = 10_000
const names = { gancho: 'Gancho', yoga: 'bare Yoga, from memory' }
const query = `{ jobs(first: 20) { pageInfo { endCursor hasNextPage } edges { cursor node {
  id eventType status receivedAt updatedAt deliveredAt tenant { cnpj name }
  attempts { number startedAt outcome statusCode responseHeaders timing { totalMs } } } } } }`
const body = JSON.stringify({ query })

export const graphqlPage: Scenario = {
  name: 'graphql-page',
  title: `GraphQL: jobs(first: 20) with tenant and attempts, ${connections} connections, one gateway, SQLite with ${jobs} jobs`,
  figures: [
    { name: 'perSecond', title: 'answers/s', digits: 0 },
    { name: 'p50', title: 'median, ms', digits: 2 },
    { name: 'p99', title: 'p99, ms', digits: 1 },
    { name: 'nodeUs', title: 'Node CPU an answer, µs', digits: 0 },
    { name: 'refused', title: 'refused', digits: 0 },
  ],
  goals: [
    {
      title: 'answers/s ÷ bare Yoga',
      ratio: (median) => median(names.gancho, 'perSecond') / median(names.yoga, 'perSecond'),
      atLeast: 0.8,
    },
    {
      title: 'Node CPU of bare Yoga an answer ÷ Gancho’s',
      ratio: (median) => median(names.yoga, 'nodeUs') / median(names.gancho, 'nodeUs'),
      atLeast: 0.8,
    },
  ],
  open,
}

type Measured = { name: string; baseline: boolean; target: Target; pid: number; close(): Promise<unknown> }

async function open({ checkouts, profiled, seconds }: ScenarioOptions): Promise<Contestant[]> {
  const sender = await startHelper('posts.ts')
  const ganchos = await Promise.all(checkouts.map((checkout) => startGateway(checkout, profiled)))
  const folder = await temporaryFolder()
  const file = join(folder.path, 'page.json')
  await writeFile(file, JSON.stringify(ganchos[0]?.page))
  const yoga = await startBaseline('bare-yoga.ts', [file])
  const target = { origin: yoga.origin, path: '/graphql', headers: jsonHeaders, body }
  const closeYoga = () => Promise.all([yoga.close(), folder.remove(), sender.close()])
  const bare = { name: names.yoga, baseline: true, target, pid: yoga.pid, close: closeYoga }
  await sameAnswer([...ganchos, bare])
  return [...ganchos, bare].map(({ name, baseline, target, pid, close }) => ({
    ...{ name, baseline },
    async measure(): Promise<Sample> {
      const before = cpuUs(pid)
      const posted = await sender.ask<Posted>('post', { target, connections, seconds })
      const { accepted, refused, tookMs, latencies } = posted
      return {
        perSecond: (accepted * 1_000) / tookMs,
        ...{ p50: median(latencies), p99: percentile(latencies, 0.99), refused },
        nodeUs: (cpuUs(pid) - before) / accepted,
      }
    },
    close: async () => void (await close()),
  }))
}

async function startGateway({ name, url }: Checkout, profiled: Record<string, string>) {
  const fleet = await measuredFleet({ answer: (response) => response.end(), checkout: url })
  await seedHistory(join(fleet.env.DATA_DIR ?? '', 'gancho.db'), jobs, { attempts: true })
  const gateway = await fleet.start('gateway', { LOG_LEVEL: 'error', ...profiled })
  const admin = clientOf(gateway)
  await admin.newTenant(busyTenant)
  const headers = { ...jsonHeaders, authorization: `Bearer ${adminToken}` }
  const target: Target = { origin: gateway.origin, path: '/graphql', headers, body }
  const close = async () => {
    await gateway.stop()
    await fleet.close()
  }
  const page = await admin.graphql(query)
  const suffix = name === '' ? '' : `, ${name}`
  return { name: names.gancho + suffix, baseline: false, target, pid: gateway.pid, page, close }
}

/** @throws Error when they do not answer the same */
async function sameAnswer(measured: readonly Measured[]): Promise<void> {
  const answers = measured.map(async ({ target: { origin, path, headers, body } }) => {
    const answer = await fetch(`${origin}${path}`, { method: 'POST', headers, body })
    return answer.text()
  })
  const [first, ...others] = await Promise.all(answers)
  if (others.some((other) => other !== first)) throw new Error(`not the same answer: ${first} ${others[0]}`)
}
