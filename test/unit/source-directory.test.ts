import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { GanchoError } from '../../src/errors.ts'
import type { Stores } from '../../src/storage/open-stores.ts'
import { type SourceDirectory, sourceDirectory } from '../../src/tenants/sources/source-directory.ts'
import { tokenCipher } from '../../src/tenants/token-cipher.ts'
import { startTestStores } from '../support/sqlite-stores.ts'
import { tenantRow, tokenRow } from '../support/tenant-rows.ts'

const cnpj = '11222333000181'
const other = '00000000000191'
const cipher = tokenCipher('a secret of these tests')
const idOf = (at: number) => `src_${String(at).padStart(32, '0')}`
const one = idOf(1)
const hour = 3_600_000

let stores: Stores
let directory: SourceDirectory
let time: number
let reads: string[]
/** What the database does instead of answering. */
let trouble: (() => Promise<never>) | undefined

beforeEach(async () => {
  stores = await startTestStores()
  onTestFinished(() => stores.close())
  await stores.tenants.create(tenantRow(cnpj), tokenRow(cnpj, 'a'))
  await stores.tenants.create(tenantRow(other), tokenRow(other, 'b'))
  await addSource(one)
  ;[time, reads, trouble] = [1_000_000, [], undefined]
  directory = open()
})

/** Patient, unless it is told otherwise: beside other work on the machine also a database that is there takes its time. */
function open(patienceMs = 60_000): SourceDirectory {
  return sourceDirectory({
    store: {
      async byId(id) {
        reads.push(id)
        await trouble?.()
        return stores.sources.byId(id)
      },
      async ofTenants(of) {
        await trouble?.()
        return stores.sources.ofTenants(of)
      },
    },
    ...{ tenants: stores.tenants, cipher, ttlMs: 60_000, patienceMs, now: () => time },
  })
}

const addSource = (id: string, of = cnpj) =>
  stores.sources.create({
    ...{ id, cnpj: of, name: id, options: {}, createdAt: 1, lastUsedAt: null, scheme: 'github' },
    secrets: cipher.encrypt(JSON.stringify([`secret of ${id}`])),
  })

/** The secrets that a request of this source is verified with, or why it is refused. */
async function outcome(id = one): Promise<string> {
  try {
    return (await directory.find(id)).secrets.join()
  } catch (error) {
    return (error as GanchoError).code
  }
}
const served = `secret of ${one}`
const away = () => Promise.reject(new GanchoError('DATABASE_UNAVAILABLE'))

test('a source is read once for all who ask for it at once, and then served from memory', async () => {
  expect(new Set(await Promise.all(Array.from({ length: 100 }, () => outcome())))).toEqual(new Set([served]))
  expect(await outcome()).toBe(served)
  expect(reads).toEqual([one])
  time += 60_000
  await Promise.all(Array.from({ length: 100 }, () => outcome()))
  expect(reads).toEqual([one, one])
})

test('while the database is away known sources are verified for a day, and strangers hear of the outage', async () => {
  await outcome()
  trouble = away
  time += 60_000
  expect(await outcome()).toBe(served)
  expect(await outcome(idOf(2))).toBe('DATABASE_UNAVAILABLE')
  time += 24 * hour - 1
  expect(await outcome()).toBe(served)
  time += 1
  expect(await outcome()).toBe('DATABASE_UNAVAILABLE')
  trouble = undefined
  expect(await outcome()).toBe(served)
  expect(await outcome(idOf(2))).toBe('SOURCE_NOT_FOUND')
})

test('a database that is away is not asked for every request', async () => {
  await outcome()
  trouble = away
  time += 60_000
  for (let i = 0; i < 100; i++) expect(await outcome()).toBe(served)
  expect(reads).toHaveLength(2)
  time += 5_000
  expect(await outcome()).toBe(served)
  expect(reads).toHaveLength(3)
})

test('an error that nobody foresaw is an outage too', async () => {
  await outcome()
  trouble = () => Promise.reject(new Error('ORA-99999: never heard of'))
  time += 60_000
  expect(await outcome()).toBe(served)
  expect(await outcome(idOf(2))).toBe('DATABASE_UNAVAILABLE')
})

test('a database that hangs holds up nobody whose source is known', async () => {
  directory = open(20)
  await outcome()
  const hanging = Promise.withResolvers<never>()
  onTestFinished(() => hanging.reject(new GanchoError('DATABASE_UNAVAILABLE')))
  trouble = () => hanging.promise
  time += 60_000
  expect(await Promise.race([outcome(), sleep(5_000)])).toBe(served)
  expect(await Promise.race([outcome(), sleep(5_000)])).toBe(served)
  expect(reads).toHaveLength(2)
})

test('a source whose tenant has changed is not served from memory, others are', async () => {
  await addSource(idOf(3), other)
  for (const id of [one, idOf(3)]) await outcome(id)
  trouble = away
  directory.invalidate(cnpj)
  expect(await outcome()).toBe('DATABASE_UNAVAILABLE')
  expect(await outcome(idOf(3))).toBe(`secret of ${idOf(3)}`)
  directory.invalidate('*')
  expect(await outcome(idOf(3))).toBe(`secret of ${idOf(3)}`)
  expect(reads.at(-1)).toBe(one)
  time += 5_000
  expect(await outcome(idOf(3))).toBe(`secret of ${idOf(3)}`)
  expect(reads.at(-1)).toBe(idOf(3))
})

test('a flood of unknown sources makes few look-ups, and harms none that is known', async () => {
  await outcome()
  const flood = Array.from({ length: 5_000 }, (_, at) => outcome(idOf(10 + at)))
  directory.invalidate(cnpj)
  expect(await outcome()).toBe(served)
  expect(new Set(await Promise.all(flood))).toEqual(new Set(['SOURCE_NOT_FOUND', 'LOOK_UPS_BUSY']))
  expect(reads.length).toBeLessThanOrEqual(502)
  expect(await outcome('src_short')).toBe('SOURCE_NOT_FOUND')
})

test('the first request of a new source is verified in the middle of such a flood', async () => {
  const flood = () => Array.from({ length: 600 }, (_, at) => outcome(idOf(time + at)))
  await Promise.all(flood())
  await addSource(idOf(2), other)
  expect(await outcome(idOf(2))).toBe('LOOK_UPS_BUSY')
  time += 1_000
  const more = flood()
  directory.invalidate(other)
  await expect.poll(() => outcome(idOf(2))).toBe(`secret of ${idOf(2)}`)
  expect(reads).not.toContain(idOf(2))
  expect(new Set(await Promise.all(more))).toContain('LOOK_UPS_BUSY')
})

test('a source that was removed is not found any more once its time is up', async () => {
  await outcome()
  await stores.sources.remove(one)
  expect(await outcome()).toBe(served)
  time += 60_000
  expect(await outcome()).toBe('SOURCE_NOT_FOUND')
})

test('what was read before a change that came meanwhile is not kept', async () => {
  const byId = stores.sources.byId.bind(stores.sources)
  const [read, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  stores.sources.byId = async (id) => {
    const found = await byId(id)
    read.resolve()
    await gate.promise
    return found
  }
  const early = outcome()
  await read.promise
  await stores.sources.setSecrets(one, cipher.encrypt(JSON.stringify(['another secret'])))
  trouble = away
  directory.invalidate(cnpj)
  trouble = undefined
  gate.resolve()
  expect(await early).toBe(served)
  expect(await outcome()).toBe('another secret')
})
