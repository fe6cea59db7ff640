import { once } from 'node:events'
import { createServer } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { addressGuard } from '../../src/delivery/address-guard.ts'
import { attempt } from '../../src/delivery/attempt.ts'
import { createHttpClient, type HttpClientOptions } from '../../src/delivery/http-client.ts'
import { parseAddressRanges } from '../../src/tenants/sender-addresses.ts'
import { coreForFile } from '../support/core-for-file.ts'
import { startDelivery } from '../support/delivery.ts'
import { startDnsServer } from '../support/dns-server.ts'
import { startReceiver } from '../support/receiver.ts'
import { jobBecomes, scheduledJob } from '../support/scheduled-job.ts'
import { selfSignedCertificate } from '../support/self-signed-certificate.ts'

const { core } = await coreForFile()
const toClose: { close(): Promise<unknown> }[] = []
const kept = <Closable extends { close(): Promise<unknown> }>(closable: Closable): Closable => {
  toClose.push(closable)
  return closable
}
afterEach(async () => {
  for (const closable of toClose.splice(0).reverse()) await closable.close()
})

type Names = Record<string, readonly string[] | (() => readonly string[])>

/** A client whose names are those of a DNS server, with these ranges open. */
async function clientFor(
  names: Names,
  open: readonly string[] = [],
  options: Partial<HttpClientOptions> = {},
) {
  const dns = kept(
    await startDnsServer((name, family) => {
      const found = names[name] ?? []
      const addresses = typeof found === 'function' ? (family === 4 ? found() : []) : found
      return addresses.filter((address) => address.includes(':') === (family === 6))
    }),
  )
  const guard = addressGuard({ allowed: parseAddressRanges(open), resolve: dns.lookup })
  const client = kept(createHttpClient({ connectTimeoutMs: 20_000, guard, ...options }))
  const send = async (url: string) => {
    const request = { url, headers: {}, body: Buffer.from('hello') }
    return (await attempt(client, request, { timeoutMs: 30_000 })).outcome
  }
  return { dns, client, send, guard }
}
const receiving = async () => kept(await startReceiver((response) => response.end()))
const refusal = (host: string) => ({
  kind: 'refused',
  error: `DESTINATION_NOT_ALLOWED ${host} is at an address that deliveries may not go to`,
})
const answered = expect.objectContaining({ kind: 'answered', status: 200 })

test.each<[string, readonly string[]]>([
  ['loopback', ['127.0.0.1']],
  ['loopback over IPv6', ['::1']],
  ['loopback mapped into IPv6', ['::ffff:127.0.0.1']],
  ['both families', ['127.0.0.1', '::1']],
  ['metadata', ['169.254.169.254']],
  ['a private address behind NAT64', ['64:ff9b::10.0.0.1']],
])('a name that points inward is refused before anything is sent: %s', async (_what, addresses) => {
  const receiver = await receiving()
  const { send, client } = await clientFor({ 'inward.test': addresses })
  expect(await send(`http://inward.test:${receiver.port}/`)).toEqual(refusal('inward.test'))
  expect(receiver.mostSockets()).toBe(0)
  expect(client.originCount()).toBe(0)
})

test.each([
  ['127.0.0.1', '127.0.0.1'],
  ['127.1', '127.0.0.1'],
  ['2130706433', '127.0.0.1'],
  ['0x7f000001', '127.0.0.1'],
  ['0177.0.0.1', '127.0.0.1'],
  ['[::ffff:127.0.0.1]', '::ffff:7f00:1'],
  ['[::1]', '::1'],
  ['0', '0.0.0.0'],
])('a literal address is refused without a question to DNS: %s', async (host, shown) => {
  const receiver = await receiving()
  const { send, dns, client } = await clientFor({})
  expect(await send(`http://${host}:${receiver.port}/`)).toEqual(refusal(shown))
  expect(dns.asked).toEqual([])
  expect(client.originCount()).toBe(0)
  expect(receiver.mostSockets()).toBe(0)
})

test('the addresses of our own network are not told to who names a host', async () => {
  const { send } = await clientFor({ 'inward.test': ['10.9.8.7'] })
  expect(JSON.stringify(await send('http://inward.test/'))).not.toContain('10.9.8.7')
})

test('of several addresses only the allowed ones are tried', async () => {
  const listening = async (host: string, port = 0) => {
    let connections = 0
    const server = createServer((socket) => {
      connections += 1
      socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'))
    }).listen(port, host)
    await once(server, 'listening')
    const address = server.address() as { port: number }
    const close = async () => {
      server.close()
      await once(server, 'close')
    }
    return kept({ port: address.port, connections: () => connections, close })
  }
  const inward = await listening('127.0.0.1')
  const open = await listening('127.0.0.2', inward.port)
  for (const addresses of [
    ['127.0.0.1', '127.0.0.2'],
    ['::1', '127.0.0.1', '127.0.0.2'],
  ]) {
    const { send } = await clientFor({ 'mixed.test': addresses }, ['127.0.0.2/32'])
    expect(await send(`http://mixed.test:${inward.port}/`)).toEqual(answered)
  }
  expect(open.connections()).toBe(2)
  expect(inward.connections()).toBe(0)
  await open.close()
  toClose.splice(toClose.indexOf(open), 1)
  // The good one refuses the connection: the bad ones are no way out.
  const { send } = await clientFor({ 'mixed.test': ['127.0.0.1', '127.0.0.2'] }, ['127.0.0.2/32'])
  expect(await send(`http://mixed.test:${inward.port}/`)).toMatchObject({ kind: 'unanswered' })
  expect(inward.connections()).toBe(0)
})

test('a name that points elsewhere from one look-up to the next is looked up once for a connection, and checked each time', async () => {
  const receiver = await receiving()
  let looks = 0
  const rebinding = () => {
    looks += 1
    return looks % 2 === 1 ? ['127.0.0.2'] : ['127.0.0.1']
  }
  const { send } = await clientFor({ 'rebinding.test': rebinding }, ['127.0.0.2/32'])
  const url = `http://rebinding.test:${receiver.port}/`
  for (let round = 1; round <= 3; round += 1) {
    // Nobody listens at the good one, and the connection does not go to the answer after it.
    expect(await send(url)).toMatchObject({ kind: 'unanswered' })
    expect(looks).toBe(2 * round - 1)
    expect(await send(url)).toEqual(refusal('rebinding.test'))
  }
  expect(receiver.mostSockets()).toBe(0)
})

test('over TLS a name is checked in the same way, and the certificate is still that of the name', async () => {
  const tls = selfSignedCertificate(['good.test'])
  const receiver = kept(await startReceiver((response) => response.end(), tls))
  const names = { 'good.test': ['127.0.0.1'], 'other.test': ['127.0.0.1'], 'bad.test': ['::1'] }
  const { send } = await clientFor(names, ['127.0.0.0/8'], { ca: tls.cert })
  const to = (host: string) => send(`https://${host}:${receiver.port}/`)
  expect(await to('good.test')).toEqual(answered)
  expect(await to('bad.test')).toEqual(refusal('bad.test'))
  expect(await to('other.test')).toMatchObject({
    kind: 'unanswered',
    error: expect.stringContaining('ERR_TLS_CERT_ALTNAME_INVALID'),
  })
  const withoutAuthority = await clientFor(names, ['127.0.0.0/8'])
  expect(await withoutAuthority.send(`https://good.test:${receiver.port}/`)).toMatchObject({
    kind: 'unanswered',
  })
  expect(receiver.received).toHaveLength(1)
})

test('a redirect inward is not followed', async () => {
  const inward = await receiving()
  const receiver = kept(
    await startReceiver((response) => response.writeHead(307, { location: inward.url }).end()),
  )
  const { send } = await clientFor({ 'good.test': ['127.0.0.1'] }, ['127.0.0.0/8'])
  expect(await send(`http://good.test:${receiver.port}/`)).toMatchObject({ kind: 'answered', status: 307 })
  expect(inward.mostSockets()).toBe(0)
})

test('a name that does not exist is a failure of the network, not a refusal', async () => {
  const { send } = await clientFor({})
  expect(await send('http://nowhere.test/')).toEqual({
    kind: 'unanswered',
    error: 'ENOTFOUND no address of nowhere.test',
  })
})

test('the answers that the operating system gives are checked too', async () => {
  const receiver = await receiving()
  const guard = addressGuard({ allowed: [] })
  const client = kept(createHttpClient({ connectTimeoutMs: 20_000, guard }))
  const request = { url: `http://localhost:${receiver.port}/`, headers: {}, body: Buffer.from('x') }
  expect((await attempt(client, request, { timeoutMs: 30_000 })).outcome).toEqual(refusal('localhost'))
  expect(receiver.mostSockets()).toBe(0)
})

test('a job for an address that is refused rests in the error queue after one attempt that says why', async () => {
  const receiver = await receiving()
  const { guard } = await clientFor({ 'inward.test': ['127.0.0.1'] })
  const delivery = startDelivery(core, { url: `http://inward.test:${receiver.port}/`, guard })
  kept({ close: delivery.stop })
  const n = await scheduledJob(core)
  await jobBecomes(core, n, 'FAILED')
  const { error } = refusal('inward.test')
  expect(await core.job(n)).toMatchObject({
    attempts: 1,
    failure: { reason: 'DESTINATION_NOT_ALLOWED', error, statusCode: null },
  })
  expect(await core.attempts(n)).toMatchObject([{ outcome: 'FAILED', statusCode: null, error }])
  expect(receiver.mostSockets()).toBe(0)
})
