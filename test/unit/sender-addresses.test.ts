import { describe, expect, it } from 'vitest'
import { type Connection, isAllowedSender, parseAddressRanges } from '../../src/tenants/sender-addresses.ts'

const proxies = ['10.0.0.0/8', 'fd00::/8']
/** Whether a request that came this way is allowed to be from `allowed`. */
const isFrom = (allowed: string, connection: Connection, trusted: string[] = proxies) =>
  isAllowedSender(connection, parseAddressRanges([allowed]), parseAddressRanges(trusted))

describe('a list of addresses', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7', '192.0.2.8'],
    ['192.0.2.0/24', '192.0.2.255', '192.0.3.0'],
    ['192.0.2.77/24', '192.0.2.1', '192.0.1.255'],
    [' 192.0.2.0/31 ', '192.0.2.1', '192.0.2.2'],
    ['2001:db8::/32', '2001:db8:ffff::1', '2001:db9::1'],
    ['2001:DB8::7', '2001:db8:0:0:0:0:0:7', '2001:db8::8'],
    ['192.0.2.0/24', '::ffff:192.0.2.9', '::ffff:192.0.3.9'],
    ['::ffff:192.0.2.0/120', '192.0.2.9', '192.0.3.9'],
    ['::ffff:192.0.2.7', '192.0.2.7', '192.0.2.8'],
    ['0.0.0.0/0', '203.0.113.1', '2001:db8::1'],
    ['::/0', '2001:db8::1', '192.0.2.1'],
  ])('%s has %s and not %s', (list, inside, outside) => {
    expect(isFrom(list, { remoteAddress: inside })).toBe(true)
    expect(isFrom(list, { remoteAddress: outside })).toBe(false)
  })

  it.each([
    '',
    'localhost',
    '192.0.2',
    '192.0.2.0/33',
    '192.0.2.0/',
    '0300.0.2.1',
    '0xC0.0.2.1',
    '1/8',
    '::/129',
    '10.0.0.0/8/8',
    'a,b',
  ])('is refused with what cannot be read: %j', (text) => {
    expect(() => parseAddressRanges(['10.0.0.0/8', text])).toThrow(
      expect.objectContaining({
        code: 'BAD_REQUEST',
        message: expect.stringContaining(JSON.stringify(text)),
      }),
    )
  })
})

describe('X-Forwarded-For', () => {
  const behindProxy = (forwardedFor: string | string[]) => ({ remoteAddress: '10.1.2.3', forwardedFor })

  it('is not read from a peer that is no trusted proxy', () => {
    const connection = { remoteAddress: '203.0.113.9', forwardedFor: '192.0.2.7' }
    expect(isFrom('192.0.2.7', connection)).toBe(false)
    expect(isFrom('203.0.113.9', connection)).toBe(true)
    expect(isFrom('192.0.2.7', behindProxy('192.0.2.7'), [])).toBe(false)
  })

  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['203.0.113.1, 192.0.2.7', '192.0.2.7'],
    ['203.0.113.1, 192.0.2.7, 10.9.9.9', '192.0.2.7'],
    ['192.0.2.7,10.9.9.9,fd00::1', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['192.0.2.7:4711', '192.0.2.7'],
    ['[2001:db8::7]:4711', '2001:db8::7'],
    ['[2001:db8::7]', '2001:db8::7'],
    ['10.9.9.9, 10.8.8.8', '10.9.9.9'],
    ['', '10.1.2.3'],
  ])(
    'from a trusted proxy names the sender, the first from the right that is no proxy: %j is %s',
    (header, sender) => {
      expect(isFrom(sender, behindProxy(header))).toBe(true)
    },
  )

  it('cannot be put first by the sender', () => {
    expect(isFrom('192.0.2.7', behindProxy('192.0.2.7, 203.0.113.1'))).toBe(false)
    expect(isFrom('192.0.2.7', behindProxy('192.0.2.7, 10.9.9.9, 203.0.113.1, 10.9.9.9'))).toBe(false)
  })

  it.each(['unknown', '192.0.2.7, unknown', '192.0.2.7, ,10.9.9.9', '0xC0.0.2.7', '192.0.2.7 10.9.9.9'])(
    'that cannot be read as far as it counts allows nobody: %j',
    (header) => {
      expect(isFrom('0.0.0.0/0', behindProxy(header))).toBe(false)
      expect(isFrom('::/0', behindProxy(header))).toBe(false)
    },
  )

  it('of several headers is read as one', () => {
    expect(isFrom('192.0.2.7', behindProxy(['203.0.113.1', '192.0.2.7, 10.9.9.9']))).toBe(true)
  })
})

it('a connection without an address is from nowhere', () => {
  expect(isFrom('0.0.0.0/0', { remoteAddress: undefined })).toBe(false)
  expect(isFrom('0.0.0.0/0', { forwardedFor: '192.0.2.7' }, ['0.0.0.0/0'])).toBe(false)
})
