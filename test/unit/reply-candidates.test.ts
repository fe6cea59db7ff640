import { expect, test } from 'vitest'
import { replyCandidates } from '../../src/sync/reply-candidates.ts'
import { testUpstream } from '../support/upstreams.ts'

const one = testUpstream({ name: 'one' })
const two = testUpstream({ name: 'two', replyIdPointer: '/data/ref', deliverReplies: false })

const cnpj = '11222333000181'
const foreign = testUpstream({ name: 'foreign', allows: (other) => other !== cnpj })

const candidatesOf = (text: string | null, correlationId: string | null = null) => {
  const body = Buffer.from(text ?? '')
  const json = text === null ? {} : { json: JSON.parse(text) as unknown }
  return replyCandidates([one, foreign, two], { cnpj, correlationId, body, ...json })
}
const named = (upstream: string, externalId: string, more = {}) => ({
  ...{ upstream, externalId, failed: false, deliver: upstream === 'one' },
  ...more,
})

test('an event may answer whichever of its tenant’s upstreams has an id where that one’s replies have it', () => {
  expect(candidatesOf('{"id":"a","data":{"ref":"b"}}')).toEqual([named('one', 'a'), named('two', 'b')])
  expect(candidatesOf('{"data":{"ref":"b"}}')).toEqual([named('two', 'b')])
  expect(candidatesOf('{"other":1}')).toEqual([])
})

test('a correlation id comes before what the body says, for every upstream, and the same one counts once', () => {
  expect(candidatesOf('{"id":"a"}', 'c')).toEqual([named('one', 'c'), named('two', 'c'), named('one', 'a')])
  expect(candidatesOf('{"id":"a"}', 'a')).toEqual([named('one', 'a'), named('two', 'a')])
  expect(candidatesOf(null, 'c')).toEqual([named('one', 'c'), named('two', 'c')])
})

test.each([
  ['{"id":7}', '7'],
  ['{"id":12345678901234567891}', '12345678901234567891'],
])('a number counts as it is written: %s', (text, externalId) => {
  expect(candidatesOf(text)).toEqual([named('one', externalId)])
})

test.each(['{"id":null}', '{"id":true}', '{"id":{}}', '{"id":""}', '[]', '"id"', 'null', '7'])(
  'what is no id is none: %s',
  (text) => {
    expect(candidatesOf(text)).toEqual([])
  },
)

test('a reply fails where its upstream says so, and there alone', () => {
  expect(candidatesOf('{"id":"a","error":"no"}')).toEqual([named('one', 'a', { failed: true })])
  for (const nothing of ['null', 'false', '0', '""'])
    expect(candidatesOf(`{"id":"a","error":${nothing}}`)).toEqual([named('one', 'a')])
})
