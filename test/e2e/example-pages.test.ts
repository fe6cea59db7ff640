import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseEntry, type RawEntry } from '../../src/journal/entry.ts'
import { keys } from '../../src/redis/keys.ts'
import { browserPath, openBrowser } from '../support/browser.ts'
import { until } from '../support/client.ts'
import { clientsOf, type Fleet, openFleet } from '../support/fleet.ts'
import { freePort } from '../support/free-port.ts'
import type { GanchoProcess } from '../support/gancho.ts'

const serve = fileURLToPath(new URL('../../examples/serve.mjs', import.meta.url))

/** The example's own server, on a free port. */
async function serveExamples() {
  const child = spawn(process.execPath, [serve, '0'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [text] = await once(child.stdout, 'data')
  return { child, origin: /http:\/\/[\d.:]+/.exec(String(text))?.[0] ?? '' }
}

describe.skipIf(!browserPath)('the example pages in a browser, from another origin', () => {
  let fleet: Fleet
  let gateway: GanchoProcess
  let worker: GanchoProcess
  let clients: Awaited<ReturnType<typeof clientsOf>>
  let browser: Browser
  let examples: { child: ChildProcess; origin: string }
  const pages = new Map<string, Page>()
  const complaints: string[] = []

  beforeAll(async () => {
    examples = await serveExamples()
    // Longer than a busy machine stops: one of an open stream that is renewed too late is no more, and its end is waited for.
    const env = { ALLOWED_ORIGINS: examples.origin, STREAM_TICKET_TTL_SECONDS: '10' }
    fleet = await openFleet({ answer: (response) => response.end('ok'), env })
    ;[gateway, worker, browser] = await Promise.all([
      fleet.start('gateway', { PORT: String(await freePort()) }),
      fleet.start('all'),
      openBrowser(),
    ])
    clients = await clientsOf(worker)
  })
  afterAll(async () => {
    await browser?.close()
    examples.child.kill()
    await fleet.close()
  })

  const open = async (name: string) => {
    const page = await browser.newPage({ viewport: { width: 1_000, height: 760 } })
    page.on('pageerror', (error) => complaints.push(String(error)))
    page.setDefaultTimeout(60_000)
    await page.goto(`${examples.origin}/${name}.html`)
    await page.getByLabel('Gancho').fill(gateway.origin)
    await page.getByLabel('Token').fill(clients.token)
    await page.getByRole('button', { name: 'Connect' }).click()
    await untilState(page, 'Live')
    pages.set(name, page)
  }
  const untilState = (page: Page, text: string) =>
    expect.poll(() => page.getByRole('status').innerText()).toBe(text)

  const post = (count: number) =>
    Promise.all(Array.from({ length: count }, (_, i) => clients.tenant.postJob({ i })))
  /** Each job with the statuses it came through, newest first. */
  const shown = (page: Page) =>
    page
      .locator('#jobs tr')
      .evaluateAll((rows) =>
        rows.map((row) => `${row.children[0]?.textContent}: ${row.children[2]?.textContent}`),
      )
  const happened = async () => {
    const entries = ((await fleet.data.xrange(keys.journal, '-', '+')) as RawEntry[]).map(parseEntry)
    return [...Map.groupBy(entries, ({ n }) => n)]
      .toSorted(([a], [b]) => b - a)
      .map(([n, changes]) => `ID-${n}: ${changes.map(({ status }) => status).join(' → ')}`)
  }
  const untilDelivered = () =>
    until(async () => (await happened()).every((line) => line.endsWith('DELIVERED')), { what: 'deliveries' })
  const expectAllShown = async () => {
    await untilDelivered()
    const journal = await happened()
    expect(pages.size).toBe(2)
    for (const page of pages.values()) await expect.poll(() => shown(page)).toEqual(journal)
  }
  /** The jobs that history shows as delivered. */
  const listed = async () => {
    const query = '{ jobs(first: 50, filter: { statuses: [DELIVERED] }) { edges { node { id } } } }'
    const { jobs } = await clients.tenant.graphql<{ jobs: { edges: { node: { id: string } }[] } }>(query)
    return jobs.edges.map(({ node }) => node.id)
  }
  const trimAll = async () => {
    const [last] = await fleet.data.xrevrange(keys.journal, '+', '-', 'COUNT', 1)
    await fleet.data.xtrim(keys.journal, 'MAXLEN', 0)
    await fleet.data.set(keys.trimmedTo, last?.[0] ?? '')
  }
  const restart = async (meanwhile: () => Promise<unknown>) => {
    await gateway.stop()
    await meanwhile()
    gateway = await fleet.start('gateway', { PORT: new URL(gateway.origin).port })
  }

  test('show each change of each job as it happens', async () => {
    await Promise.all(['event-source', 'graphql-ws'].map(open))
    await post(4)
    await expectAllShown()
  })

  test('miss nothing and show nothing twice when the server restarts', async () => {
    await restart(() => post(4))
    await post(3)
    await expectAllShown()
    for (const page of pages.values()) await untilState(page, 'Live')
  })

  test('nor when it was away for longer than a ticket is good for', async () => {
    const tickets = async () => (await fleet.data.keys('*ticket*')).length
    await until(async () => (await tickets()) > 0, { what: 'a ticket' })
    await restart(async () => {
      await until(async () => (await tickets()) === 0, { what: 'the end of all tickets' })
      await post(3)
    })
    await expectAllShown()
    for (const page of pages.values()) {
      await untilState(page, 'Live')
    }
  })

  test('reload the list where changes are missing', async () => {
    let missed: string[] = []
    await restart(async () => {
      missed = await post(2)
      await untilDelivered()
      await until(async () => (await listed()).filter((id) => missed.includes(id)).length === 2, {
        what: 'history has what is missed',
      })
      await trimAll()
    })
    for (const page of pages.values())
      await expect
        .poll(() => shown(page))
        .toEqual(expect.arrayContaining(missed.map((id) => `${id}: DELIVERED`)))
  })

  test('say so when the token is not honoured any more', async () => {
    await clients.admin.graphql('mutation { rotateTenantToken(cnpj: "11222333000181") { token } }')
    for (const page of pages.values())
      await expect.poll(() => page.getByRole('status').getAttribute('data-state')).toBe('refused')
    expect(complaints).toEqual([])
  })
})
