import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Destination } from '../../src/delivery/destination.ts'
import { type DestinationDirectory, destinationDirectory } from '../../src/delivery/destination-directory.ts'
import { sealDestination } from '../../src/delivery/destination-secrets.ts'
import type { DestinationStore } from '../../src/delivery/destination-store.ts'
import { environmentDestination } from '../../src/delivery/environment-destination.ts'
import { GanchoError } from '../../src/errors.ts'
import { tokenCipher } from '../../src/tenants/token-cipher.ts'
import { sampleDestination } from '../support/destination-rows.ts'
import { startTestStores } from '../support/sqlite-stores.ts'
import { tenantRow, tokenRow } from '../support/tenant-rows.ts'

const cipher = tokenCipher('a secret for tests only')
const cnpj = '11222333000181'
const other = '00000000000191'
const environment = environmentDestination('http://127.0.0.1:1/')

let stores: Awaited<ReturnType<typeof startTestStores>>
let isDown = false
let now = 1_000
let calls: string[] = []
/** Awaited by reads that have begun, before they answer. */
let gate: Promise<void> | undefined
let directory: DestinationDirectory

beforeEach(async () => {
  stores = await startTestStores()
  for (const one of [cnpj, other]) await stores.tenants.create(tenantRow(one), tokenRow(one, one))
  ;[isDown, now, calls, gate] = [false, 1_000, [], undefined]
  directory = destinationDirectory({
    ...{ store: watched(stores.destinations), cipher, environment, ttlMs: 60_000 },
    ...{ log: pino({ level: 'silent' }), now: () => now },
  })
})
afterEach(() => stores.close())

/** The real store, which fails while the database is down. */
function watched(store: DestinationStore): DestinationStore {
  const answering =
    <Args extends unknown[], Answer>(name: string, method: (...args: Args) => Promise<Answer>) =>
    async (...args: Args) => {
      calls.push(name)
      if (isDown) throw new GanchoError('DATABASE_UNAVAILABLE')
      const waiting = gate
      const answer = await method.apply(store, args)
      await waiting
      return answer
    }
  return Object.assign(Object.create(store), {
    list: answering('list', store.list),
    byId: answering('byId', store.byId),
  })
}

const create = (part: Partial<Destination>) =>
  stores.destinations.create(sealDestination(cipher, sampleDestination(part)), 1_000)
const names = (of = cnpj) => directory.candidates(of).map(({ id }) => id)

test("a tenant's events go to its own destinations, without any to the defaults, without those to the environment's", async () => {
  await directory.load()
  expect(names()).toEqual(['default'])
  await create({ id: 'dst_all' })
  await directory.refresh('default')
  expect(names()).toEqual(['dst_all'])
  await create({ id: 'dst_own', cnpj, active: false })
  await directory.refresh(cnpj)
  expect(names()).toEqual(['dst_own'])
  expect(names(other)).toEqual(['dst_all'])
})

test('all pages are loaded, and each destination opened once however often they are', async () => {
  for (let at = 0; at < 503; at++) await create({ id: `dst_${String(at).padStart(4, '0')}` })
  await directory.load()
  expect(directory.get('dst_0502')?.destination).toEqual(sampleDestination({ id: 'dst_0502' }))
  const before = directory.get('dst_0000')
  await directory.load()
  expect(directory.get('dst_0000')).toBe(before)
  expect(names(cnpj)).toHaveLength(503)
})

test('a change is known after a refresh, and after the TTL to whoever was not told', async () => {
  await create({ id: 'dst_a', cnpj })
  await directory.load()
  await stores.destinations.update(
    sealDestination(cipher, sampleDestination({ id: 'dst_a', cnpj, name: 'new', version: 2 })),
  )
  await directory.turn()
  expect(directory.get('dst_a')?.settings.name).toBe('açaí')
  now += 60_000
  await directory.turn()
  expect(directory.get('dst_a')?.settings.name).toBe('new')
  await stores.destinations.remove('dst_a')
  directory.invalidate('*')
  await directory.turn()
  expect(directory.get('dst_a')).toBeUndefined()
})

test('while the database is down, known destinations are served, also to those who were told of a change', async () => {
  await create({ id: 'dst_a', cnpj })
  await directory.load()
  isDown = true
  now += 3_600_000
  await expect(directory.turn()).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
  await expect(directory.refresh(cnpj)).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
  expect(names()).toEqual(['dst_a'])
  expect(await directory.find('dst_a')).toMatchObject({ kind: 'known', destination: { id: 'dst_a' } })
})

test('what could not be read when the change was told of is read once the database is back', async () => {
  await directory.load()
  await create({ id: 'dst_a', cnpj })
  isDown = true
  await directory.refresh(cnpj).catch(() => undefined)
  isDown = false
  await directory.turn()
  expect(names()).toEqual(['dst_a'])
})

test('a worker is told that a destination is gone only when the database says so', async () => {
  await directory.load()
  isDown = true
  expect(await directory.find('dst_new')).toEqual({ kind: 'unknown' })
  isDown = false
  expect(await directory.find('dst_new')).toEqual({ kind: 'gone' })
})

test('one that was created since is found, and many jobs of one that is gone ask once', async () => {
  await directory.load()
  await create({ id: 'dst_new', cnpj })
  expect(await directory.find('dst_new')).toMatchObject({ kind: 'known', destination: { cnpj } })
  calls = []
  const all = await Promise.all(Array.from({ length: 50 }, () => directory.find('dst_gone')))
  expect(new Set(all.map(({ kind }) => kind))).toEqual(new Set(['gone']))
  expect(await directory.find('dst_gone')).toEqual({ kind: 'gone' })
  expect(calls).toEqual(['byId'])
})

test('a refresh that is asked for while one runs sees what was written meanwhile', async () => {
  await directory.load()
  const opened = Promise.withResolvers<void>()
  gate = opened.promise
  const first = directory.refresh(cnpj)
  await create({ id: 'dst_a', cnpj })
  gate = undefined
  const [second, third] = [directory.refresh(cnpj), directory.refresh(cnpj)]
  opened.resolve()
  await Promise.all([first, second, third])
  expect(names()).toEqual(['dst_a'])
  expect(calls.filter((call) => call === 'list')).toHaveLength(3)
})

test('a long load does not undo a change that was read while it ran', async () => {
  await create({ id: 'dst_a', cnpj })
  await create({ id: 'dst_b', cnpj: other })
  const opened = Promise.withResolvers<void>()
  gate = opened.promise
  const loading = directory.load()
  // Its answer is there by now, and waits.
  await stores.destinations.list({ limit: 1 })
  gate = undefined
  await stores.destinations.remove('dst_a')
  await directory.refresh(cnpj)
  opened.resolve()
  await loading
  expect(names()).toEqual(['default'])
  expect(directory.get('dst_a')).toBeUndefined()
  expect(names(other)).toEqual(['dst_b'])
})

test('one whose secrets cannot be read keeps its events, and its jobs wait', async () => {
  const foreign = tokenCipher('another secret altogether')
  await stores.destinations.create(sealDestination(foreign, sampleDestination({ id: 'dst_a', cnpj })), 100)
  await directory.load()
  expect(names()).toEqual(['dst_a'])
  expect(await directory.find('dst_a')).toEqual({ kind: 'unknown' })
})
