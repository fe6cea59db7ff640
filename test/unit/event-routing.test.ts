import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import type { Destination } from '../../src/delivery/destination.ts'
import { eventFilters, readFilter } from '../../src/delivery/event-filter.ts'
import { destinationRouter, takesType } from '../../src/delivery/route-events.ts'
import { sampleDestination } from '../support/destination-rows.ts'

const log = pino({ level: 'silent' })
const bounds = { budgetMs: 10_000, maxBodyBytes: 1_000_000 }
const cnpj = '11222333000181'

function routerOf(
  parts: Partial<Destination>[],
  { now = (): number => 0, judge = eventFilters(bounds) } = {},
) {
  const all = parts.map((part, at) => sampleDestination({ id: `dst_${at}`, ...part }))
  const route = destinationRouter({ directory: { candidates: () => all }, judge, log, now })
  return (body: unknown, eventType: string | null = null, contentType = 'application/json') =>
    route({ cnpj, eventType, contentType, body: Buffer.from(JSON.stringify(body)) }).map(
      ({ destination }) => destination,
    )
}

describe('event types', () => {
  it.each([
    [[], null, true],
    [[], 'a', true],
    [['a'], 'a', true],
    [['a'], 'a.b', false],
    [['a'], null, false],
    [['invoice.*'], 'invoice.paid', true],
    [['invoice.*'], 'invoice.item.added', true],
    [['invoice.*'], 'invoice', false],
    [['invoice.*'], 'invoices.paid', false],
    [['x', 'invoice.*'], 'x', true],
  ] as [string[], string | null, boolean][])('%j of %j: %s', (types, type, takes) => {
    expect(takesType(types, type)).toBe(takes)
  })
})

describe('routing', () => {
  it('gives an event to every active destination that wants its type, in its queue', () => {
    const all = [
      { queue: 'slow' },
      { active: false },
      { eventTypes: ['order.*'] },
      { eventTypes: ['invoice.paid'] },
    ].map((part, at) => sampleDestination({ id: `dst_${at}`, ...part }))
    const judge = eventFilters(bounds)
    const route = destinationRouter({ directory: { candidates: () => all }, judge, log, now: () => 0 })
    const event = { cnpj, eventType: 'invoice.paid', contentType: null, body: Buffer.from('x') }
    expect(route(event)).toEqual([
      { destination: 'dst_0', queue: 'slow' },
      { destination: 'dst_3', queue: 'nifi' },
    ])
  })

  it('asks filters of the JSON body, each by itself', () => {
    const route = routerOf([
      {},
      { filter: "$[?$.type == 'pix' && $.amount > 10]" },
      { filter: '$.items[?@.sku == "a"]' },
      { filter: '$..urgent' },
    ])
    expect(route({ type: 'pix', amount: 11 })).toEqual(['dst_0', 'dst_1'])
    expect(route({ type: 'pix', amount: 9, items: [{ sku: 'b' }, { sku: 'a' }] })).toEqual(['dst_0', 'dst_2'])
    expect(route({ deep: [{ urgent: null }] })).toEqual(['dst_0', 'dst_3'])
    expect(route('a text')).toEqual(['dst_0'])
    expect(route(null)).toEqual(['dst_0'])
  })

  it('looks into what the intake has read of the body, and reads it no second time', () => {
    const judge = eventFilters(bounds)
    const all = ['$.a', '$[?@ == null]', '$'].map((filter, at) =>
      sampleDestination({ id: `dst_${at}`, filter }),
    )
    const route = destinationRouter({ directory: { candidates: () => all }, judge, log, now: () => 0 })
    const event = { cnpj, eventType: null, contentType: 'application/json', body: Buffer.from('not read') }
    const idsFor = (json: unknown) => route({ ...event, json }).map(({ destination }) => destination)
    expect(idsFor({ a: 1 })).toEqual(['dst_0', 'dst_2'])
    expect(idsFor([null])).toEqual(['dst_1', 'dst_2'])
    expect(idsFor(null)).toEqual(['dst_2'])
  })

  it('finds nothing by a filter in what is not JSON', () => {
    const route = routerOf([{}, { filter: '$' }])
    expect(route({ a: 1 }, null, 'application/json')).toEqual(['dst_0', 'dst_1'])
    expect(route({ a: 1 }, null, 'text/plain')).toEqual(['dst_0'])
  })

  it('looks into no body while no destination that wants the type has a filter', () => {
    const judge = () => {
      throw new Error('looked')
    }
    const route = routerOf([{}, { filter: '$.a', eventTypes: ['other'] }], { judge })
    expect(route({})).toEqual(['dst_0'])
  })

  it('makes no more than 20 jobs of one event', () => {
    expect(routerOf(Array.from({ length: 25 }, () => ({})))({})).toHaveLength(20)
  })
})

describe('a filter that takes for ever', () => {
  const brief = { ...bounds, budgetMs: 300 }
  const slow = '$[?$[?$[?@.a == 1]]]'
  const large = Array.from({ length: 3_000 }, () => ({ a: 2 }))

  it('is broken off, and its event delivered', () => {
    const route = routerOf([{ filter: slow }, { filter: '$.never' }], { judge: eventFilters(brief) })
    const started = performance.now()
    expect(route(large)).toContain('dst_0')
    expect(performance.now() - started).toBeLessThan(10_000)
  })

  it('is not tried again for a minute, and then is', () => {
    let at = 0
    let judged = 0
    const real = eventFilters(brief)
    const judge: typeof real = (filters, body) => {
      judged += filters.length
      return real(filters, body)
    }
    const route = routerOf([{ filter: slow }], { now: () => at, judge })
    route(large)
    expect(judged).toBe(1)
    at = 59_999
    expect(route({})).toEqual(['dst_0'])
    expect(judged).toBe(1)
    at = 60_000
    expect(route({})).toEqual([])
    expect(judged).toBe(2)
  })

  it('is one of a regular expression, too', () => {
    const judge = eventFilters(brief)
    const { found, undecided } = judge([readFilter("$[?match(@, '(a+)+b')]")], jsonOf(['a'.repeat(60)]))
    expect(found).toEqual([true])
    expect(undecided).toMatchObject([{ tookTooLong: true }])
  })

  it('holds up no filter of the next event', () => {
    const judge = eventFilters(brief)
    judge([readFilter(slow)], jsonOf(large))
    expect(judge([readFilter('$.a'), readFilter('$.b')], jsonOf({ b: 1 }))).toEqual({
      found: [false, true],
      undecided: [],
    })
  })
})

describe('a plain filter', () => {
  it.each([
    ["$[?$.type == 'pix' && $.amount > 10]", true],
    ['$.a.b[0]', true],
    ['$.items[?@.sku == "a"]', true],
    ['$..a', false],
    ['$[?match(@, "a")]', false],
    ['$[?$[?@.a == 1]]', false],
    ['$[*][*]', false],
    ["$['a','b']", false],
    ['$[0:3][?@.a]', false],
  ])('%s goes through a body once at most: %s', (text, isPlain) => {
    expect(readFilter(text).isPlain).toBe(isPlain)
  })

  it('at its worst takes a small body no longer than the budget', () => {
    const twin = Array.from({ length: 120 }, () => 1)
    const body = jsonOf({
      ...Object.fromEntries(Array.from({ length: 190 }, (_, at) => [at, 0])),
      a: twin,
      b: twin,
    })
    expect(body.length).toBeLessThan(2_048)
    const worst = readFilter(`$[?${Array.from({ length: 40 }, () => '$.a != $.b').join('||')}]`)
    expect(worst.isPlain).toBe(true)
    const judge = eventFilters(bounds)
    judge([worst], body)
    const start = performance.now()
    expect(judge([worst], body).found).toEqual([false])
    expect(performance.now() - start).toBeLessThan(10_000)
  })
})

describe('a body that cannot be judged', () => {
  it('because it is too deep or too large counts as found, and suspends nothing', () => {
    const judge = eventFilters({ budgetMs: 1_000, maxBodyBytes: 5_000 })
    const deep = Buffer.from('['.repeat(2_000) + ']'.repeat(2_000))
    for (const body of [deep, jsonOf('x'.repeat(5_000))]) {
      const { found, undecided } = judge([readFilter('$..x')], body)
      expect(found).toEqual([true])
      expect(undecided).toMatchObject([{ tookTooLong: false }])
    }
  })
})

describe('reading a filter', () => {
  it.each(['', 'a', '$[', '$.a b', '$[?nothing(@)]', `$.${'a'.repeat(511)}`])('refuses %j', (text) => {
    expect(() => readFilter(text)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }))
  })
})

const jsonOf = (value: unknown) => Buffer.from(JSON.stringify(value))
