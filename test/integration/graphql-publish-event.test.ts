import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createGraphql } from '../../src/graphql/yoga.ts'
import { graphql } from '../gql/gql.ts'
import type { PublishEventInput } from '../gql/graphql.ts'
import { admin, graphqlClient } from '../support/graphql-client.ts'
import { openTestServices, type TestServices } from '../support/services.ts'
import { alphanumericCnpj, newTenant, numericCnpj, unusedCnpj } from '../support/tenants.ts'

const Publish = graphql(`
  mutation Publish($input: PublishEventInput!) {
    publishEvent(input: $input) { eventId ids jobs { id status } }
  }
`)
const PublishedJob = graphql(`
  query PublishedJob($id: ID!) {
    job(id: $id) {
      id eventId eventType correlationId destinationId status payload body headers attemptCount reprocessCount
      nextAttemptAt deliveredAt failure { reason } attempts { number } tenant { cnpj name } queue { name } explanation
    }
  }
`)

const maxEventBytes = 2_000
let services: TestServices
let tenant: ReturnType<typeof graphqlClient>
let administrator: ReturnType<typeof graphqlClient>

beforeAll(async () => {
  services = await openTestServices()
  const endpoint = createGraphql({ services, log: console, maxEventBytes })
  tenant = graphqlClient(endpoint, await newTenant(services.tenants, numericCnpj, 'Padaria'))
  administrator = graphqlClient(endpoint, admin)
})
afterAll(() => services.close())

const published = async (input: PublishEventInput) => (await tenant.data(Publish, { input })).publishEvent

describe('a published event', () => {
  test('can be read in the same answer and at once afterwards', async () => {
    const input = { eventType: 'order.paid', correlationId: 'c-1', payload: { order: 7, items: ['ção'] } }
    const { eventId, ids, jobs } = await published(input)
    expect(jobs).toEqual([{ id: ids[0], status: 'RECEIVED' }])

    const { job } = await tenant.data(PublishedJob, { id: ids[0] ?? '' })
    expect(job).toMatchObject({
      ...{ id: ids[0], eventId, eventType: 'order.paid', correlationId: 'c-1', destinationId: 'default' },
      ...{ status: 'RECEIVED', payload: input.payload, body: '{"order":7,"items":["ção"]}' },
      ...{ headers: { 'content-type': 'application/json' }, attemptCount: 0, reprocessCount: 0 },
      ...{ nextAttemptAt: null, deliveredAt: null, failure: null, attempts: [] },
      ...{ tenant: { cnpj: numericCnpj, name: 'Padaria' }, queue: { name: 'nifi' } },
    })
    expect(job?.explanation).toMatch(/^Accepted at 20.*Z and safe; it is on its way into queue nifi\.$/)
  })

  test('keeps a body that is not JSON as it is, without a payload', async () => {
    const { ids } = await published({ body: '42', contentType: 'text/plain' })
    const { job } = await tenant.data(PublishedJob, { id: ids[0] ?? '' })
    expect(job).toMatchObject({ body: '42', payload: null })
  })

  test('keeps every digit of a JSON body', async () => {
    const body = '{"nsu":12345678901234567890}'
    const { ids } = await published({ body, contentType: 'application/json' })
    expect((await tenant.data(PublishedJob, { id: ids[0] ?? '' })).job?.body).toBe(body)
  })

  test('keeps its ordering key as the header that a sender over REST would set', async () => {
    const { ids } = await published({ payload: {}, orderingKey: 'order-7' })
    const { job } = await tenant.data(PublishedJob, { id: ids[0] ?? '' })
    expect(job?.headers).toMatchObject({ 'x-ordering-key': 'order-7' })
    const refused = await tenant.send(Publish, { input: { payload: {}, orderingKey: 'x'.repeat(256) } })
    expect(refused.errors?.[0]?.message).toContain('orderingKey')
  })

  test('is made once for one idempotency key', async () => {
    const input = { payload: { n: 1 }, idempotencyKey: 'key-1' }
    const first = await published(input)
    expect((await published(input)).ids).toEqual(first.ids)
    expect(await tenant.codes(Publish, { input: { ...input, payload: { n: 2 } } })).toEqual([
      'IDEMPOTENCY_CONFLICT',
    ])
  })
})

describe('publishEvent refuses', () => {
  test.each([
    ['no content', {}, 'BAD_REQUEST'],
    ['two contents', { payload: 1, body: '1' }, 'BAD_REQUEST'],
    ['a payload that says to be no JSON', { payload: 1, contentType: 'text/plain' }, 'BAD_REQUEST'],
    ['a content type that is none', { body: '1', contentType: 'text' }, 'BAD_REQUEST'],
    ['broken JSON', { body: '{"a":', contentType: 'application/json' }, 'INVALID_JSON'],
    ['a body that is too long', { body: 'x'.repeat(maxEventBytes + 1) }, 'BODY_TOO_LARGE'],
    ['an event type with blanks', { payload: 1, eventType: 'order paid' }, 'BAD_REQUEST'],
    ['a long correlation id', { payload: 1, correlationId: 'x'.repeat(256) }, 'BAD_REQUEST'],
    ['another tenant', { payload: 1, cnpj: alphanumericCnpj }, 'FORBIDDEN'],
    ['a wrong CNPJ', { payload: 1, cnpj: '11222333000180' }, 'INVALID_CNPJ'],
  ])('%s', async (_what, input, code) => {
    expect(await tenant.codes(Publish, { input })).toEqual([code])
  })
})

describe('an administrator', () => {
  test('publishes for the tenant it names, written with punctuation or without', async () => {
    const { publishEvent } = await administrator.data(Publish, {
      input: { cnpj: '11.222.333/0001-81', payload: null, body: 'x' },
    })
    const { job } = await tenant.data(PublishedJob, { id: publishEvent.ids[0] ?? '' })
    expect(job?.tenant.cnpj).toBe(numericCnpj)
  })

  test('has to name one that is there and active', async () => {
    await services.tenants.createTenant({ cnpj: alphanumericCnpj, name: 'Closed', active: false })
    const codes = (cnpj?: string) => administrator.codes(Publish, { input: { payload: 1, cnpj } })
    expect(await codes()).toEqual(['BAD_REQUEST'])
    expect(await codes(unusedCnpj)).toEqual(['TENANT_NOT_FOUND'])
    expect(await codes(alphanumericCnpj)).toEqual(['TENANT_INACTIVE'])
  })
})
