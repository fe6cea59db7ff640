import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createGraphql } from '../../src/graphql/yoga.ts'
import { graphql } from '../gql/gql.ts'
import { startDelivery } from '../support/delivery.ts'
import { admin, graphqlClient } from '../support/graphql-client.ts'
import { startReceiver } from '../support/receiver.ts'
import { openTestServices, type TestServices } from '../support/services.ts'
import { alphanumericCnpj, newTenant, numericCnpj } from '../support/tenants.ts'

const Preview = graphql(`
  query PreviewDelivery($destination: ID!, $jobId: ID!) {
    previewDelivery(destination: $destination, jobId: $jobId) { method url headers body bodyBytes }
  }
`)

const settings = {
  ...{ name: 'Orders', url: 'https://example.com/hook?x=1' },
  headers: { 'x-region': 'south-s3cret' },
  auth: { kind: 'bearer', token: 'b3arer-s3cret' },
} as const

let services: TestServices
let owner: ReturnType<typeof graphqlClient>
let stranger: ReturnType<typeof graphqlClient>
let administrator: ReturnType<typeof graphqlClient>
/** Ids: of the owner's destination, and of one of all tenants. */
let own: string
let everyones: string
let secret: string

beforeAll(async () => {
  services = await openTestServices()
  const endpoint = createGraphql({ services, log: console, maxEventBytes: 1_000 })
  owner = graphqlClient(endpoint, await newTenant(services.tenants, numericCnpj, 'Owner'))
  stranger = graphqlClient(endpoint, await newTenant(services.tenants, alphanumericCnpj, 'Stranger'))
  administrator = graphqlClient(endpoint, admin)
  const create = (cnpj: string | null) =>
    services.destinations.service.create({ ...settings, cnpj }, { mayOpenQueues: true })
  const created = await create(numericCnpj)
  own = created.destination.id
  secret = created.signingSecret
  everyones = (await create(null)).destination.id
})
afterAll(() => services.close())

const newJob = async (body: Buffer = Buffer.from('{"order":7}')) => {
  const { ns } = await services.intake.accept({
    ...{ cnpj: numericCnpj, eventType: 'order.paid', correlationId: null, contentType: 'application/json' },
    ...{ headers: {}, body, idempotencyKey: null },
  })
  return { n: ns[0] ?? 0, jobId: `ID-${ns[0]}` }
}

test('the preview is signed as it would go out, with all that authenticates masked', async () => {
  const { jobId } = await newJob()
  const { previewDelivery: preview } = await owner.data(Preview, { destination: own, jobId })
  expect(preview).toMatchObject({
    ...{ method: 'POST', url: 'https://example.com/hook?x=1', body: '{"order":7}', bodyBytes: 11 },
    headers: {
      ...{ host: 'example.com', authorization: '***', 'x-region': '***', 'content-length': '11' },
      ...{ 'x-gancho-job': jobId, 'x-gancho-attempt': '1', 'x-event-type': 'order.paid' },
    },
  })
  const headers = preview.headers as Record<string, string>
  expect(new Webhook(secret).verify(preview.body ?? '', headers)).toEqual({ order: 7 })
  expect(JSON.stringify(preview)).not.toContain('s3cret')
})

test('the preview is the request that follows, but for its time', async () => {
  const receiver = await startReceiver((response) => response.end())
  const { n, jobId } = await newJob()
  const ask = () => administrator.data(Preview, { destination: 'default', jobId })
  const { previewDelivery: preview } = await ask()
  await services.transitions.enqueue([n])
  await services.lanes.add([{ n, round: 0, queue: 'nifi' }])
  const log = { debug() {}, info() {}, warn() {}, error() {} } as never
  const delivery = startDelivery({ ...services, log }, { url: receiver.url })
  await expect.poll(() => receiver.received.length).toBe(1)
  await delivery.stop()
  await receiver.close()
  const sent = { ...receiver.received[0]?.headers }
  expect(sent.connection).toBe('keep-alive')
  delete sent.connection
  const shown = preview.headers as Record<string, string>
  const same = { 'webhook-timestamp': expect.any(String), host: expect.any(String) }
  expect({ ...shown, ...same }).toEqual({ ...sent, ...same })
  expect(Object.keys(shown).toSorted()).toEqual(Object.keys(sent).toSorted())
  expect((await ask()).previewDelivery.headers).toMatchObject({ 'x-gancho-attempt': '2' })
})

test('a body that is no text is counted and not shown', async () => {
  const { jobId } = await newJob(Buffer.from([0xff, 0xfe, 0x00]))
  const { previewDelivery: preview } = await owner.data(Preview, { destination: own, jobId })
  expect(preview).toMatchObject({ body: null, bodyBytes: 3 })
})

test("a tenant previews its own jobs at its own destinations; others' and everyone's are not there for it", async () => {
  const { jobId } = await newJob()
  const codes = (who: typeof owner, destination: string, job = jobId) =>
    who.codes(Preview, { destination, jobId: job })
  expect(await codes(stranger, own)).toEqual(['JOB_NOT_FOUND'])
  for (const destination of [everyones, 'default', 'dst_none'])
    expect(await codes(owner, destination)).toEqual(['DESTINATION_NOT_FOUND'])
  expect(await codes(administrator, everyones)).toEqual([])
  expect(await codes(administrator, 'dst_none')).toEqual(['DESTINATION_NOT_FOUND'])
  expect(await codes(administrator, own, 'ID-999999')).toEqual(['JOB_NOT_FOUND'])
})
