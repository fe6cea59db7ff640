import { validateHeaderValue } from 'node:http'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { deliveryHeaders } from '../../src/delivery/delivery-headers.ts'
import { maskCredentials } from '../../src/events/credential-headers.ts'

const now = 1_795_348_800_999
const destination = { id: 'd1', headers: {} }
const job = {
  n: 7,
  eventId: '0b8f4f2e-6f0a-4a0e-9d0f-0d9f0a6b1c2d',
  round: 0,
  contentType: null,
  eventType: null,
  correlationId: null,
  headers: {},
}

test('an event without type, content type and correlation id has just the headers of its delivery', () => {
  expect(deliveryHeaders(job, 3, now, destination)).toEqual({
    'user-agent': 'Gancho',
    'webhook-id': '0b8f4f2e-6f0a-4a0e-9d0f-0d9f0a6b1c2d_d1',
    'webhook-timestamp': '1795348800',
    'x-gancho-job': 'ID-7',
    'x-gancho-round': '0',
    'x-gancho-attempt': '3',
  })
})

test('webhook-id stays the same over attempts and rounds, differs by destination, and has no full stop', () => {
  const id = (round: number, attempt: number, to: string) =>
    deliveryHeaders({ ...job, round }, attempt, now + attempt, { id: to, headers: {} })['webhook-id']
  expect(id(4, 9, 'd1')).toBe(id(0, 1, 'd1'))
  expect(id(0, 1, 'd2')).not.toBe(id(0, 1, 'd1'))
  expect(id(0, 1, 'd1')).not.toContain('.')
})

test('content type, event type and correlation id of the event are passed on', () => {
  const event = { contentType: 'text/csv; charset=latin1', eventType: 'order.paid', correlationId: 'c-1' }
  expect(deliveryHeaders({ ...job, ...event }, 1, now, destination)).toMatchObject({
    'content-type': 'text/csv; charset=latin1',
    'x-event-type': 'order.paid',
    'x-correlation-id': 'c-1',
  })
})

test('a body that was compressed by its sender is still said to be', () => {
  const headers = { 'content-encoding': 'gzip', 'user-agent': 'sender' }
  const sent = deliveryHeaders({ ...job, headers }, 1, now, destination)
  expect(sent).toMatchObject({ 'content-encoding': 'gzip', 'user-agent': 'Gancho' })
})

test.each([
  ['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', true],
  ['00-00000000000000000000000000000000-b7ad6b7169203331-01', false],
  ['00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01', false],
  ['00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01', false],
  ['anything, anything', false],
])('the trace that an event came with goes on where it is one: %s', (traceparent, isOne) => {
  const headers = { traceparent, tracestate: 'vendor=1' }
  const sent = deliveryHeaders({ ...job, headers }, 1, now, destination)
  expect([sent.traceparent, sent.tracestate]).toEqual(
    isOne ? [traceparent, 'vendor=1'] : [undefined, undefined],
  )
})

test('headers of the destination are sent, but cannot pretend another delivery', () => {
  const headers = {
    Authorization: 'Bearer t',
    'User-Agent': 'Mine',
    'Webhook-Id': 'forged',
    'X-Gancho-Job': 'ID-1',
  }
  const sent = deliveryHeaders(job, 1, now, { id: 'd1', headers })
  expect(sent).toMatchObject({ authorization: 'Bearer t', 'user-agent': 'Mine', 'x-gancho-job': 'ID-7' })
  expect(sent['webhook-id']).toBe(`${job.eventId}_d1`)
  expect(Object.keys(sent).every((name) => name === name.toLowerCase())).toBe(true)
})

test('whatever an event is called, its name can be sent as a header', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (eventType) => {
      const sent = deliveryHeaders({ ...job, eventType }, 1, now, destination)['x-event-type'] ?? ''
      expect(() => validateHeaderValue('x-event-type', sent)).not.toThrow()
    }),
  )
  const eventType = 'pago→\r\nx-evil: 1\ud800'
  const sent = deliveryHeaders({ ...job, eventType }, 1, now, destination)
  expect(sent['x-event-type']).toBe('pago%E2%86%92%0D%0Ax-evil: 1%EF%BF%BD')
})

test('headers that look like credentials are recorded masked, others as they are', () => {
  const secret = [
    'authorization',
    'cookie',
    'set-cookie',
    'x-api-key',
    'apikey',
    'x-auth-token',
    'x-client-secret',
  ]
  const plain = [
    'webhook-id',
    'content-type',
    'www-authenticate',
    'x-author',
    'x-gancho-job',
    'idempotency-key',
  ]
  const masked = maskCredentials(Object.fromEntries([...secret, ...plain].map((name) => [name, 'value'])))
  for (const name of secret) expect.soft(masked[name], name).toBe('***')
  for (const name of plain) expect.soft(masked[name], name).toBe('value')
})
