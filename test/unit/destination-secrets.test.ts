import { expect, it, onTestFinished } from 'vitest'
import {
  newSigningSecret,
  openDestination,
  rotatedSecrets,
  sealDestination,
} from '../../src/delivery/destination-secrets.ts'
import { resealDestinations } from '../../src/delivery/reseal-destinations.ts'
import { tokenCipher } from '../../src/tenants/token-cipher.ts'
import { sampleDestination } from '../support/destination-rows.ts'
import { startTestStores } from '../support/sqlite-stores.ts'

const cipher = tokenCipher('a secret for tests only')
const secretive = (id: string) =>
  sampleDestination({
    id,
    headers: { 'x-plan': 'gold' },
    auth: { kind: 'basic', username: 'ana', password: 'top secret' },
    signingSecrets: [{ secret: newSigningSecret(), endsAt: null }],
  })

it('seals all secrets out of sight, and opens to the same destination', () => {
  const destination = secretive('dst_a')
  const stored = sealDestination(cipher, destination)
  const shown = JSON.stringify(stored)
  for (const part of ['gold', 'ana', 'top secret', destination.signingSecrets[0]?.secret ?? ''])
    expect(shown).not.toContain(part)
  expect(openDestination(cipher, stored)).toEqual(destination)
})

it("refuses another destination's sealed text, so that whoever writes to the database cannot swap them", () => {
  const [one, other] = [secretive('dst_a'), secretive('dst_b')].map((each) => sealDestination(cipher, each))
  if (!one || !other) throw new Error('sealed nothing')
  expect(() => openDestination(cipher, { ...one, secrets: other.secrets })).toThrow(
    expect.objectContaining({ code: 'TOKEN_UNREADABLE' }),
  )
})

it('makes signing secrets of 32 random bytes in the form of Standard Webhooks', () => {
  const secrets = [newSigningSecret(), newSigningSecret()]
  for (const secret of secrets) {
    expect(secret).toMatch(/^whsec_/)
    expect(Buffer.from(secret.slice('whsec_'.length), 'base64')).toHaveLength(32)
  }
  expect(secrets[0]).not.toBe(secrets[1])
})

it('a rotation ends the others after the overlap, earlier ends stay, what has ended goes', () => {
  const before = [
    { secret: 'newest', endsAt: null },
    { secret: 'ends soon', endsAt: 1_500 },
    { secret: 'ends late', endsAt: 9_000 },
    { secret: 'ended', endsAt: 900 },
  ]
  expect(rotatedSecrets(before, 'new', { now: 1_000, endAt: 2_000 })).toEqual([
    { secret: 'new', endsAt: null },
    { secret: 'newest', endsAt: 2_000 },
    { secret: 'ends soon', endsAt: 1_500 },
    { secret: 'ends late', endsAt: 2_000 },
  ])
  expect(rotatedSecrets(before, 'new', { now: 1_000, endAt: 1_000 })).toEqual([
    { secret: 'new', endsAt: null },
  ])
})

it('never signs with more than five at once', () => {
  let secrets = rotatedSecrets([], 'first', { now: 0, endAt: 100 })
  for (let at = 0; at < 9; at++) secrets = rotatedSecrets(secrets, `s${at}`, { now: 0, endAt: 100 })
  expect(secrets.map(({ secret }) => secret)).toEqual(['s8', 's7', 's6', 's5', 's4'])
})

it('seals every destination under the newest secret, over all pages, and leaves what it cannot read', async () => {
  const { destinations: store, close } = await startTestStores()
  onTestFinished(close)
  const older = tokenCipher('the secret of before')
  const ids = Array.from({ length: 205 }, (_, at) => `dst_${String(at).padStart(4, '0')}`)
  for (const id of ids) await store.create(sealDestination(older, secretive(id)), 1_000)
  await store.create(sealDestination(tokenCipher('a lost secret'), secretive('dst_lost')), 1_000)
  const both = tokenCipher('the newest secret', 'the secret of before')
  expect(await resealDestinations(store, both)).toEqual({ resealed: ids, unreadable: ['dst_lost'] })
  const stored = await store.byId('dst_0204')
  expect(stored && openDestination(tokenCipher('the newest secret'), stored).auth).toEqual(
    secretive('dst_0204').auth,
  )
  expect(stored?.version).toBe(1)
})
