import { expect, test } from 'vitest'
import { addressGuard, checkDestinationUrl } from '../../src/delivery/address-guard.ts'
import { parseAddressRanges } from '../../src/tenants/sender-addresses.ts'

const guardWith = (...ranges: string[]) => addressGuard({ allowed: parseAddressRanges(ranges) })
const strict = guardWith()

test.each([
  ['0.0.0.0', 'unspecified'],
  ['0.1.2.3', 'this network'],
  ['10.1.2.3', 'private'],
  ['172.16.0.1', 'private'],
  ['172.31.255.255', 'private'],
  ['192.168.1.1', 'private'],
  ['127.0.0.1', 'loopback'],
  ['127.255.255.254', 'loopback'],
  ['169.254.169.254', 'metadata of AWS, Azure, Google Cloud'],
  ['169.254.170.2', 'metadata of AWS containers'],
  ['100.100.100.200', 'metadata of Alibaba, in the shared range'],
  ['100.64.0.1', 'shared (carrier-grade NAT)'],
  ['192.0.0.192', 'metadata of Oracle Cloud, IETF assignments'],
  ['192.0.2.1', 'documentation'],
  ['198.51.100.1', 'documentation'],
  ['203.0.113.1', 'documentation'],
  ['192.88.99.1', '6to4 relay'],
  ['198.18.0.1', 'benchmarks'],
  ['198.19.255.255', 'benchmarks'],
  ['224.0.0.1', 'multicast'],
  ['239.255.255.255', 'multicast'],
  ['240.0.0.1', 'reserved'],
  ['255.255.255.255', 'broadcast'],
  ['::', 'unspecified'],
  ['::1', 'loopback'],
  ['::127.0.0.1', 'IPv4-compatible'],
  ['::ffff:127.0.0.1', 'mapped loopback'],
  ['::ffff:7f00:1', 'mapped loopback in hexadecimal digits'],
  ['::ffff:169.254.169.254', 'mapped metadata'],
  ['::ffff:0:127.0.0.1', 'translated (SIIT)'],
  ['64:ff9b::10.0.0.1', 'private behind NAT64'],
  ['64:ff9b::a9fe:a9fe', 'metadata behind NAT64'],
  ['64:ff9b:1::1', 'NAT64 of a network of its own'],
  ['2002:7f00:1::1', '6to4 of loopback'],
  ['2002:808:808::1', '6to4'],
  ['2001:0:808:808::1', 'Teredo'],
  ['2a00:1450::5efe:10.0.0.1', 'ISATAP'],
  ['2a00:1450::200:5efe:10.0.0.1', 'ISATAP of a global address'],
  ['fe80::1', 'link-local'],
  ['fe80::1%eth0', 'link-local with a zone'],
  ['::ffff:127.0.0.1%eth0', 'mapped loopback with a zone'],
  ['fc00::1', 'unique local'],
  ['fd00:ec2::254', 'metadata of AWS over IPv6'],
  ['fec0::1', 'site-local'],
  ['ff02::1', 'multicast'],
  ['100::1', 'discard'],
  ['2001:db8::1', 'documentation'],
  ['3fff::1', 'documentation'],
  ['2001:2::1', 'benchmarks'],
  ['5f00::1', 'segment routing'],
  ['4000::1', 'not assigned'],
  ['nowhere', 'no address'],
  ['', 'nothing'],
  ['2130706433', 'a number'],
  ['0177.0.0.1', 'octal digits'],
])('%s is refused: %s', (address) => {
  expect(strict.allows(address)).toBe(false)
})

test.each([
  '1.1.1.1',
  '8.8.8.8',
  '100.63.255.255',
  '100.128.0.0',
  '172.15.255.255',
  '172.32.0.0',
  '223.255.255.255',
  '2606:4700:4700::1111',
  '2a00:1450:4001:80b::200e',
  '::ffff:8.8.8.8',
  '64:ff9b::8.8.8.8',
])('%s is taken', (address) => {
  expect(strict.allows(address)).toBe(true)
})

test('a range that was opened is open in every form of its addresses, and nothing beside it is', () => {
  const guard = guardWith('10.1.0.0/16', 'fd12:3456::/32', '127.0.0.1')
  for (const open of ['10.1.2.3', '::ffff:10.1.2.3', '64:ff9b::10.1.2.3', 'fd12:3456::9', '127.0.0.1'])
    expect(guard.allows(open), open).toBe(true)
  for (const shut of ['10.2.0.1', 'fd12:3457::1', '127.0.0.2', '2002:a01:203::1', '::1'])
    expect(guard.allows(shut), shut).toBe(false)
})

const codeOf = (url: string, guard = strict) => {
  try {
    return checkDestinationUrl(url, guard).href
  } catch (error) {
    return (error as { code: string }).code
  }
}

test.each([
  'http://127.0.0.1/',
  'http://127.1/',
  'http://2130706433/',
  'http://0x7f.1/',
  'http://0177.0.0.1:8080/',
  'http://①②⑦.⓪.⓪.①/',
  'https://[::1]/',
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:a00:1]:80/',
  'http://169.254.169.254/latest/meta-data',
  'http://0/',
])('a destination at %s is refused when it is made', (url) => {
  expect(codeOf(url)).toBe('DESTINATION_NOT_ALLOWED')
})

test('a destination needs an http or https URL without credentials; names are left to the connection', () => {
  for (const url of ['', 'nifi', 'ftp://example.com/', 'file:///etc/passwd', 'https://a:b@example.com/'])
    expect(codeOf(url)).toBe('BAD_REQUEST')
  expect(codeOf('http://[fe80::1%25eth0]/')).toBe('BAD_REQUEST')
  expect(codeOf('https://example.com:8443/hook?x=1')).toBe('https://example.com:8443/hook?x=1')
  expect(codeOf('http://localhost/')).toBe('http://localhost/')
  expect(codeOf('http://10.1.2.3/', guardWith('10.0.0.0/8'))).toBe('http://10.1.2.3/')
})
