import { complexityFromQuery } from '@pothos/plugin-complexity'
import { expect, test } from 'vitest'
import { schema } from '../../src/graphql/schema.ts'

const costOf = (query: string, variables: Record<string, unknown> = {}) =>
  complexityFromQuery(query, { schema, variables }).complexity

const perJob = `status explanation nextAttemptAt payload failure { reason }
  attempts { number round startedAt outcome statusCode error responseBody timing { totalMs connectMs } }`

test.each([
  ['a field is one value', '{ viewer { kind } }', 2],
  ['a connection has as many as are asked for', '{ jobs(first: 7) { edges { node { id } } } }', 1 + 7 * 3],
  ['from its end too', '{ jobs(last: 7) { edges { node { id } } } }', 1 + 7 * 3],
  ['50 unless a size is given', '{ jobs { edges { node { id } } } }', 1 + 50 * 3],
  ['and never more than the largest page', '{ jobs(first: 100000) { edges { node { id } } } }', 1 + 200 * 3],
  ['nodes are as many as there are ids', '{ nodes(ids: ["ID-1", "ID-2", "ID-3"]) { id } }', 1 + 3],
  ['other lists have ten', '{ queues { name } }', 1 + 10],
  [
    'statistics have as many points as are asked for',
    '{ stats(from: "2026-01-01T00:00:00Z", to: "2026-01-01T01:30:00Z", bucketSeconds: 3600) { received } }',
    1 + 2,
  ],
  [
    'and never more than there may be',
    '{ stats(from: "2026-01-01T00:00:00Z", to: "2027-01-01T00:00:00Z", bucketSeconds: 0) { received } }',
    1 + 1_000,
  ],
  ['a body is worth 50', '{ job(id: "ID-1") { body payload } }', 1 + 50 + 50],
  ['the attempts of many jobs are many', `{ jobs(first: 200) { edges { node { ${perJob} } } } }`, 31_601],
  [
    'the page of a dashboard is far from the limit',
    `{ jobs(first: 50) { totalCount pageInfo { hasNextPage endCursor }
      edges { node { id status eventType receivedAt attemptCount explanation tenant { name } queue { name } } } } }`,
    801,
  ],
])('%s', (_what, query, cost) => {
  expect(costOf(query)).toBe(cost)
})

test('sizes come from variables too, and from their defaults', () => {
  const query = 'query ($n: Int = 20) { jobs(first: $n) { edges { node { id } } } }'
  expect([costOf(query, { n: 3 }), costOf(query), costOf(query, { n: null })]).toEqual([10, 61, 151])
})
