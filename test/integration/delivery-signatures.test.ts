import { randomBytes } from 'node:crypto'
import { Webhook, WebhookVerificationError } from 'standardwebhooks'
import { expect, test } from 'vitest'
import { newSigningSecret } from '../../src/delivery/destination-secrets.ts'
import { standardWebhooks } from '../../src/tenants/sources/standard-webhooks.ts'
import { deliveryForFile } from '../support/delivery-for-file.ts'
import type { Received } from '../support/receiver.ts'
import { jobBecomes, scheduledJob } from '../support/scheduled-job.ts'

const { core, receive, deliverTo } = await deliveryForFile()

type Event = Parameters<typeof scheduledJob>[1]
type Options = Omit<Parameters<typeof deliverTo>[0], 'url'> & { statuses?: number[]; event?: Event }

/** Delivers one event with a destination's settings, and answers what arrived and what was recorded. */
async function delivered({ statuses = [200], event, ...options }: Options) {
  const receiver = await receive((response) =>
    response.writeHead(statuses[receiver.received.length - 1] ?? 200, { 'retry-after': '1' }).end(),
  )
  deliverTo({ url: receiver.url, ...options })
  const n = await scheduledJob(core, event)
  await jobBecomes(core, n, 'DELIVERED')
  return { received: receiver.received, attempts: await core.attempts(n) }
}
const verify = (secret: string, { headers, body }: Received) =>
  new Webhook(secret).verify(body, headers as Record<string, string>)
const signed = (...secrets: [string, number | null][]) => ({
  destination: { signingSecrets: secrets.map(([secret, endsAt]) => ({ secret, endsAt })) },
})

test('the reference library verifies what arrives, and refuses it with another secret or another body', async () => {
  const secret = newSigningSecret()
  const body = Buffer.from('{"order":7,"text":"obrigação"}')
  const { received } = await delivered({ ...signed([secret, null]), event: { body } })
  const [one] = received as [Received]
  expect(verify(secret, one)).toEqual({ order: 7, text: 'obrigação' })
  expect(() => verify(newSigningSecret(), one)).toThrow(WebhookVerificationError)
  expect(() => verify(secret, { ...one, body: Buffer.from('{"order":8}') })).toThrow(WebhookVerificationError)
  const forged = { ...one, headers: { ...one.headers, 'webhook-id': 'another' } }
  expect(() => verify(secret, forged)).toThrow(WebhookVerificationError)
})

test('while a secret is replaced, receivers with the old one and with the new one verify; one that has ended signs nothing', async () => {
  const [newest, older, ended] = [newSigningSecret(), newSigningSecret(), newSigningSecret()]
  const { received } = await delivered(
    signed([newest, null], [older, Date.now() + 60_000], [ended, Date.now() - 1]),
  )
  const [one] = received as [Received]
  for (const secret of [newest, older]) expect(verify(secret, one)).toEqual({ order: 7 })
  expect(() => verify(ended, one)).toThrow(WebhookVerificationError)
  expect(one.headers['webhook-signature']).toMatch(/^v1,[\w+/]{43}= v1,[\w+/]{43}=$/)
})

test('every attempt has a time and a signature of its own, for the same id', async () => {
  const secret = newSigningSecret()
  const { received } = await delivered({ ...signed([secret, null]), statuses: [503] })
  expect(received).toHaveLength(2)
  for (const one of received) expect(verify(secret, one)).toEqual({ order: 7 })
  const [first, second] = received.map(({ headers }) => headers)
  expect(second?.['webhook-id']).toBe(first?.['webhook-id'])
  expect(Number(second?.['webhook-timestamp'])).toBeGreaterThan(Number(first?.['webhook-timestamp']))
  expect(second?.['webhook-signature']).not.toBe(first?.['webhook-signature'])
})

test('a body that is no text is signed byte for byte', async () => {
  const secret = newSigningSecret()
  const body = randomBytes(4096)
  const event = { body, contentType: 'application/octet-stream' }
  const { received } = await delivered({ ...signed([secret, null]), event })
  const [one] = received as [Received]
  // The reference library takes text alone.
  expect(standardWebhooks.verify(one, [secret], {}, Date.now())).toBe(true)
  body.writeUInt8(body.readUInt8(0) ^ 1)
  expect(standardWebhooks.verify({ ...one, body }, [secret], {}, Date.now())).toBe(false)
})

test('without a secret there is no signature', async () => {
  const { received } = await delivered({})
  expect(received[0]?.headers).not.toHaveProperty('webhook-signature')
  expect(received[0]?.headers).toHaveProperty('webhook-timestamp')
})
