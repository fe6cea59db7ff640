import { expect, test } from 'vitest'
import { environmentDestination } from '../../src/delivery/environment-destination.ts'

test('a name and password in the URL of the environment are sent as HTTP Basic, and are not in the URL any more', () => {
  expect(environmentDestination('https://ana:p%40ss@example.com:8443/hook?x=1')).toMatchObject({
    url: 'https://example.com:8443/hook?x=1',
    auth: { kind: 'basic', username: 'ana', password: 'p@ss' },
  })
})

test('a password with a percent sign of its own is taken as it is', () => {
  expect(environmentDestination('https://ana:100%@example.com/')).toMatchObject({
    auth: { username: 'ana', password: '100%' },
  })
})

test('without a password and secrets nothing authenticates or signs, and every secret signs', () => {
  const plain = environmentDestination('http://nifi:8080/contentListener')
  expect(plain).toMatchObject({
    url: 'http://nifi:8080/contentListener',
    auth: { kind: 'none' },
    signingSecrets: [],
  })
  expect(environmentDestination('http://nifi/', ['whsec_a', 'whsec_b']).signingSecrets).toEqual([
    { secret: 'whsec_a', endsAt: null },
    { secret: 'whsec_b', endsAt: null },
  ])
})
