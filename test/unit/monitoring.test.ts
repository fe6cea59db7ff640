import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { createMetrics } from '../../src/metrics/metrics.ts'
import { figuresOf } from '../support/metrics.ts'
import { readQuery } from '../support/promql.ts'

type Rule = { alert: string; expr: string; labels: { severity: string }; annotations: { summary: string } }
type Panel = { title: string; type: string; targets?: { expr: string; legendFormat: string }[] }
type Variable = { name: string; query: string }

const textOf = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const yamlOf = <Content>(path: string) => parse(textOf(path)) as Content
const { groups } = yamlOf<{ groups: { rules: Rule[] }[] }>('deploy/prometheus/alerts.yml')
const rules = groups.flatMap((group) => group.rules)
const dashboard = JSON.parse(textOf('deploy/grafana/dashboards/gancho.json')) as {
  panels: Panel[]
  templating: { list: Variable[] }
}
const queries = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr, legendFormat }) => ({
    title,
    expr: expr.replaceAll('$__rate_interval', '5m'),
    legendFormat,
  })),
)

/** Labels by the name of each series that is shown. Those that Prometheus puts on all of them are not among them. */
const shown = new Map<string, Set<string>>([['up', new Set()]])
const ofScrapes = ['job', 'instance']
beforeAll(async () => {
  const text = await everyMetric()
  for (const line of text.split('\n')) {
    const [, name, labels = ''] = /^(\w+)(?:\{(.*)\})? /.exec(line) ?? []
    if (name === undefined) continue
    const known = shown.get(name) ?? new Set()
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) known.add(label)
    shown.set(name, known)
  }
})

/** The text of a process in which everything has happened once. */
async function everyMetric(): Promise<string> {
  const metrics = createMetrics()
  metrics.events.accepted(false)
  metrics.events.refused('BACKLOG_FULL')
  for (const [status, outcome] of [
    ['DELIVERED', 'DELIVERED'],
    ['RETRYING', 'RETRY'],
    ['FAILED', 'FAILED'],
  ] as const)
    metrics.delivery({ queue: 'q', status, attempt: { outcome, tookMs: 1 }, sinceAcceptedMs: 1 })
  metrics.operations('job.failed')
  metrics.streams.opened('sse')
  metrics.streams.ended('sse', 'DONE')
  metrics.awaiting.answered('replied', 1)
  metrics.awaiting.called('bank', { kind: 'accepted', externalId: 'a', body: null })
  const { text } = await metrics.scrape({
    tenantCache: () => ({ tenants: 1, staleSince: null }),
    redis: async () => figuresOf('q'),
    awaiting: () => 0,
  })
  return text
}

/** What a query asks for and is not there. */
function missing(query: string): string[] {
  const { metrics, labels } = readQuery(query)
  const known = new Set([...ofScrapes, ...metrics.flatMap((name) => [...(shown.get(name) ?? [])])])
  return [...metrics.filter((name) => !shown.has(name)), ...labels.filter((label) => !known.has(label))]
}

describe('the alerts', () => {
  test.each(rules)('$alert asks for metrics and labels that are there, and says what is wrong', (rule) => {
    expect(readQuery(rule.expr).metrics.length).toBeGreaterThan(0)
    expect(missing(rule.expr)).toEqual([])
    expect(rule.labels.severity).toMatch(/^(critical|warning)$/)
    const named = [...rule.annotations.summary.matchAll(/\$labels\.(\w+)/g)].map(([, name = '']) => name)
    const grouped = / by \(/.test(rule.expr) ? readQuery(rule.expr).labels : ofScrapes
    expect(named.filter((name) => !grouped.includes(name))).toEqual([])
  })

  test('each has a name of its own, and a line in the documentation that says what to do', () => {
    const names = rules.map(({ alert }) => alert)
    expect(new Set(names).size).toBe(names.length)
    const told = [...textOf('docs/operating.md').matchAll(/^\| `(Gancho\w+)` \|/gm)].map(([, name]) => name)
    expect(told.toSorted()).toEqual(names.toSorted())
  })
})

describe('the dashboard', () => {
  test.each(queries)('$title: $expr asks for metrics and labels that are there', ({ expr, legendFormat }) => {
    expect(readQuery(expr).metrics.length).toBeGreaterThan(0)
    expect(missing(expr)).toEqual([])
    const named = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, name = '']) => name)
    const kept = / by \(/.test(expr) ? readQuery(expr).labels : ofScrapes
    expect(named.filter((name) => !kept.includes(name))).toEqual([])
  })

  test('shows everything that the documentation of the metrics names', () => {
    const asked = new Set(queries.flatMap(({ expr }) => readQuery(expr).metrics))
    const named = [...textOf('docs/metrics.md').matchAll(/`((?:gancho|nodejs)_\w+)`/g)].map(
      ([, name = '']) => name,
    )
    expect(named.length).toBeGreaterThan(20)
    const isAsked = (name: string) => asked.has(name) || asked.has(`${name}_bucket`)
    expect(named.filter((name) => !isAsked(name))).toEqual([])
  })

  test('uses the variables that it has, which list what is there', () => {
    const { list } = dashboard.templating
    const used = [...textOf('deploy/grafana/dashboards/gancho.json').matchAll(/\$\{?([a-z]\w*)/g)].map(
      ([, name]) => name,
    )
    expect(new Set(used)).toEqual(new Set(list.map(({ name }) => name)))
    const asked = list.flatMap(({ query }) => [...query.matchAll(/^label_values\((\w+), (\w+)\)$/g)])
    expect(asked).toHaveLength(2)
    for (const [, name = '', label = ''] of asked)
      expect([...ofScrapes, ...(shown.get(name) ?? [])]).toContain(label)
  })
})

test('every metric is told in the documentation', () => {
  const told = new Set([...textOf('docs/metrics.md').matchAll(/`(gancho_\w+)`/g)].map(([, name]) => name))
  const names = [...shown.keys()].filter((name) => name.startsWith('gancho_'))
  const bare = (name: string) => name.replace(/_(bucket|sum|count)$/, '')
  expect(names.filter((name) => !told.has(bare(name)))).toEqual([])
})

test('Prometheus asks the processes of docker-compose.yml, and Grafana that Prometheus', () => {
  type Scrape = {
    job_name: string
    static_configs: { targets: string[] }[]
    dns_sd_configs: { names: string[]; port: number }[]
  }
  const prometheus = yamlOf<{ rule_files: string[]; scrape_configs: Scrape[] }>(
    'deploy/prometheus/prometheus.yml',
  )
  const { services } = yamlOf<{ services: Record<string, unknown> }>('docker-compose.yml')
  const [scrape] = prometheus.scrape_configs as [Scrape]
  expect(scrape.job_name).toBe('gancho')
  const targets = scrape.static_configs.flatMap((one) => one.targets)
  const named = scrape.dns_sd_configs.flatMap(({ names, port }) => names.map((name) => `${name}:${port}`))
  expect([...targets, ...named]).toEqual(['gateway-1:4000', 'gateway-2:4000', 'worker:4000'])
  const { datasources } = yamlOf<{ datasources: { url: string }[] }>(
    'deploy/grafana/provisioning/datasources/prometheus.yml',
  )
  const hosts = [...targets, ...named, ...datasources.map(({ url }) => new URL(url).host)].map(
    (one) => one.split(':')[0],
  )
  expect(hosts.filter((host) => !(`${host}` in services))).toEqual([])
  expect(prometheus.rule_files).toEqual(['alerts.yml'])
})

test('a query for what is not there is found', () => {
  expect(missing('sum by (tenant) (rate(gancho_jobs_lost_total{queue="q"}[5m]))')).toEqual([
    'gancho_jobs_lost_total',
    'tenant',
    'queue',
  ])
  expect(missing('gancho_queue_jobs{state="failed"} and on (queue) gancho_queue_paused')).toEqual([])
  expect(() => readQuery('sum by (queue')).toThrow('not PromQL')
})
