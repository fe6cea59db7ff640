import { expect, test } from 'vitest'
import { parseRedisAddress } from '../../src/redis/redis-address.ts'

const open = { username: undefined, password: undefined, tls: false }
const a = { host: 'a', port: 7_000 }
const b = { host: 'b', port: 6_379 }

test.each(['redis://localhost', 'rediss://user:pa%2Css@host:6380/2', 'redis://:pa,ss@[::1]:6379'])(
  'one server is named by %s as ioredis reads it',
  (url) => {
    expect(parseRedisAddress(url)).toEqual({ kind: 'server', url })
  },
)

test.each([
  ['redis://a:7000,b', open],
  ['redis://a:7000, redis://b:6379/', open],
  ['rediss://u:p%2Cw@a:7000,b', { username: 'u', password: 'p,w', tls: true }],
  ['redis://:p@a:7000,redis://:p@b/0', { ...open, password: 'p' }],
])('a list names a Cluster: %s', (url, access) => {
  expect(parseRedisAddress(url)).toEqual({ kind: 'cluster', nodes: [a, b], ...access })
})

test.each([
  ['redis+sentinel://a:7000,b:6379/main', 0, open],
  ['redis+sentinel://u:p%40w@a:7000,b:6379/main/3', 3, { username: 'u', password: 'p@w', tls: false }],
  ['rediss+sentinel://:p@a:7000,b:6379/main', 0, { username: undefined, password: 'p', tls: true }],
])('Sentinels and the name of their set: %s', (url, db, access) => {
  expect(parseRedisAddress(url)).toEqual({ kind: 'sentinel', sentinels: [a, b], name: 'main', db, ...access })
})

test('a Sentinel without a port is asked at 26379', () => {
  expect(parseRedisAddress('redis+sentinel://[::1],b:1/main')).toMatchObject({
    sentinels: [{ host: '::1', port: 26_379 }, { port: 1 }],
  })
})

test.each([
  ['http://host', 'expected redis://'],
  ['redis://', 'expected redis://'],
  ['host:6379', 'expected redis://'],
  ['a:1,b:2', 'expected redis://'],
  ['redis://a,http://b', 'expected redis://'],
  ['redis://a,', 'expected redis://'],
  ['redis+sentinel://a:1', 'expected redis://'],
  ['redis+sentinel://a:x/main', 'expected redis://'],
  ['redis://a,b/2', 'no database'],
  ['redis://a,rediss://b', 'one scheme'],
  ['redis://:one@a,redis://:two@b', 'one scheme'],
])('%s is refused with what was expected', (url, expected) => {
  expect(() => parseRedisAddress(url)).toThrow(expected)
})
