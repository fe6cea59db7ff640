import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { GanchoError } from '../../src/errors.ts'
import type { Stores } from '../../src/storage/open-stores.ts'
import { TenantDirectory } from '../../src/tenants/directory.ts'
import type { TenantDirectoryDeps } from '../../src/tenants/directory-options.ts'
import { tokenHashing } from '../../src/tenants/token.ts'
import { CountedTenantStore } from '../support/counted-store.ts'
import { startTestStores } from '../support/sqlite-stores.ts'
import { tenantRow, tokenRow } from '../support/tenant-rows.ts'

const hashToken = tokenHashing('secret')
const olderHash = tokenHashing('the secret of before')
const cnpj = '12ABC34501DE35'
const hour = 3_600_000

let stores: Stores
let store: CountedTenantStore
let directory: TenantDirectory
let time: number

async function outcome(token: string, of = directory): Promise<string> {
  try {
    return (await of.authenticate(token)).cnpj
  } catch (error) {
    return (error as { code: string }).code
  }
}

function open(options: Partial<TenantDirectoryDeps> = {}) {
  return new TenantDirectory({ store, hashToken, now: () => time, patienceMs: 60_000, ...options })
}

beforeEach(async () => {
  stores = await startTestStores()
  onTestFinished(() => stores.close())
  store = new CountedTenantStore(stores.tenants)
  time = 1_000_000
  await stores.tenants.create(tenantRow(cnpj), tokenRow(cnpj, hashToken('one')))
  directory = open()
})

describe("a tenant's tokens in the directory", () => {
  it('ends a token at the moment of its expiry, known or not', async () => {
    await stores.tenants.addToken(tokenRow(cnpj, hashToken('two')), time + 100)
    for (const token of ['one', 'two']) expect(await outcome(token)).toBe(cnpj)
    time += 99
    expect(directory.authenticate('one')).toMatchObject({ cnpj })
    time += 1
    expect(await outcome('one')).toBe('UNAUTHENTICATED')
    expect(await outcome('one', open())).toBe('UNAUTHENTICATED')
    expect(await outcome('two')).toBe(cnpj)
  })

  it('forgets a tenant that is gone without being asked for it', async () => {
    await directory.load()
    expect(directory.status().tenants).toBe(1)
    await stores.tenants.remove(cnpj)
    directory.invalidate(cnpj)
    await expect.poll(() => directory.status().tenants).toBe(0)
    expect(await outcome('one')).toBe('UNAUTHENTICATED')
  })

  it('ends one revoked token of a tenant that is told to have changed, and not the other', async () => {
    await stores.tenants.addToken(tokenRow(cnpj, hashToken('two')))
    await directory.load()
    await stores.tenants.revokeToken(cnpj, `id of ${hashToken('one')}`, time)
    directory.invalidate(cnpj)
    expect(await outcome('one')).toBe('UNAUTHENTICATED')
    expect(await outcome('two')).toBe(cnpj)
    expect(directory.status().tenants).toBe(1)
  })

  it('knows tokens that are stored under a secret of before, also after they are sealed anew', async () => {
    const was = tokenRow(cnpj, olderHash('old'))
    await stores.tenants.addToken(was)
    expect(await outcome('old')).toBe('UNAUTHENTICATED')
    directory = open({ olderHashes: [olderHash] })
    expect(await outcome('old')).toBe(cnpj)
    expect(directory.authenticate('old')).toMatchObject({ cnpj })
    const sealed = { hash: hashToken('old'), encrypted: 'v1.', prefix: 'gnt_' }
    expect(await stores.tenants.resealToken(was, sealed)).toBe(true)
    time += 24 * hour
    expect(await outcome('old')).toBe(cnpj)
    store.lookUps = 0
    expect(directory.authenticate('old')).toMatchObject({ cnpj })
    expect(store.lookUps).toBe(0)
  })

  it('knows a token on, when it is sealed anew under a secret that is not the newest here yet', async () => {
    const was = tokenRow(cnpj, olderHash('old'))
    await stores.tenants.addToken(was)
    directory = open({ hashToken: olderHash, olderHashes: [hashToken] })
    await directory.load()
    const sealed = { hash: hashToken('old'), encrypted: 'v1.', prefix: 'gnt_' }
    expect(await stores.tenants.resealToken(was, sealed)).toBe(true)
    time += 24 * hour
    expect(await outcome('old')).toBe(cnpj)
    directory.invalidate(cnpj)
    expect(await outcome('old')).toBe(cnpj)
    expect(await outcome('one')).toBe(cnpj)
  })

  it('finds a token that is sealed anew between the questions for it', async () => {
    const was = tokenRow(cnpj, olderHash('old'))
    await stores.tenants.addToken(was)
    const byTokenHash = stores.tenants.byTokenHash.bind(stores.tenants)
    stores.tenants.byTokenHash = async (hash) => {
      if (hash === was.hash) await stores.tenants.resealToken(was, { ...was, hash: hashToken('old') })
      return byTokenHash(hash)
    }
    expect(await outcome('old', open({ olderHashes: [olderHash] }))).toBe(cnpj)
  })

  it('knows a token by its id on, when it is sealed anew', async () => {
    const was = tokenRow(cnpj, olderHash('old'))
    await stores.tenants.addToken(was)
    directory = open({ olderHashes: [olderHash] })
    await directory.load()
    await stores.tenants.resealToken(was, { ...was, hash: hashToken('old') })
    time += 24 * hour
    expect(await directory.authenticateById(cnpj, was.id)).toMatchObject({ cnpj })
    await stores.tenants.revokeToken(cnpj, was.id, time)
    directory.invalidate(cnpj)
    await expect(async () => directory.authenticateById(cnpj, was.id)).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
    })
  })

  it('tells of the use of a token once a minute', async () => {
    const uses: [string, number][] = []
    directory = open({ onUse: (id, at) => uses.push([id, at]) })
    const id = `id of ${hashToken('one')}`
    for (let use = 0; use < 3; use++) await outcome('one')
    await outcome('wrong')
    expect(uses).toEqual([[id, time]])
    time += 60_000
    for (let use = 0; use < 3; use++) await outcome('one')
    expect(uses).toEqual([
      [id, time - 60_000],
      [id, time],
    ])
  })
})

describe('a flood of bad tokens', () => {
  it('of 50,000 asks the database a bounded number of times, and harms no tenant that is known', async () => {
    await directory.load()
    const counts: Record<string, number> = {}
    for (let part = 0; part < 50; part++) {
      const answers = Array.from({ length: 1_000 }, (_, at) => outcome(`bad ${part} ${at}`))
      expect(directory.authenticate('one')).toMatchObject({ cnpj })
      for (const answer of await Promise.all(answers)) counts[answer] = (counts[answer] ?? 0) + 1
      time += 20
    }
    // 500 at once, and 100 in the second that it lasts.
    expect(store.lookUps).toBeLessThanOrEqual(600)
    expect(counts).toEqual({ UNAUTHENTICATED: store.lookUps, LOOK_UPS_BUSY: 50_000 - store.lookUps })
    time += 60_000
    expect(await outcome('bad 1 1')).toBe('UNAUTHENTICATED')
  })

  it('does not keep a tenant that has changed from being read', async () => {
    await directory.load()
    await Promise.all(Array.from({ length: 2_000 }, (_, at) => outcome(`bad ${at}`)))
    expect(await outcome('bad too')).toBe('LOOK_UPS_BUSY')
    directory.invalidate(cnpj)
    expect(await outcome('one')).toBe(cnpj)
  })

  it('does not keep the first use of a token of a tenant that has changed from being honoured', async () => {
    await directory.load()
    const flood = () => Array.from({ length: 600 }, (_, at) => outcome(`bad ${time} ${at}`))
    await Promise.all(flood())
    const another = '00000000000191'
    await stores.tenants.create(tenantRow(another), tokenRow(another, hashToken('of another')))
    await stores.tenants.addToken(tokenRow(cnpj, hashToken('two')))
    expect(await outcome('of another')).toBe('LOOK_UPS_BUSY')
    expect(await outcome('two')).toBe('LOOK_UPS_BUSY')
    time += 1_000
    const bad = flood()
    for (const changed of [another, cnpj]) directory.invalidate(changed)
    await expect.poll(() => outcome('of another')).toBe(another)
    await expect.poll(() => outcome('two')).toBe(cnpj)
    expect(new Set(await Promise.all(bad))).toContain('LOOK_UPS_BUSY')
  })

  it('of changes of one tenant reads it twice at most at a time', async () => {
    await directory.load()
    const reads: Promise<unknown>[] = []
    const usableTokens = stores.tenants.usableTokens.bind(stores.tenants)
    stores.tenants.usableTokens = (page) => {
      const reading = usableTokens(page)
      reads.push(reading)
      return reading
    }
    await stores.tenants.addToken(tokenRow(cnpj, hashToken('two')))
    for (let i = 0; i < 1_000; i++) directory.invalidate(cnpj)
    await expect.poll(() => reads.length).toBe(2)
    await Promise.all(reads)
    await expect.poll(() => directory.authenticate('two')).toMatchObject({ cnpj })
    expect(reads).toHaveLength(2)
    expect(store.lookUps).toBe(0)
  })

  it('that waits for its turn is no outage: known tenants are served, and nothing is stale', async () => {
    directory = open({ unseenBurst: 2_000 })
    await directory.load()
    const release = store.hold()
    const bad = Array.from({ length: 1_016 }, (_, at) => outcome(`bad ${at}`))
    time += 10 * hour
    expect(await outcome('one')).toBe(cnpj)
    expect(directory.status().staleSince).toBeNull()
    release()
    await Promise.all(bad)
  })

  it('has no more look-ups at one time than allowed', async () => {
    const release = store.hold()
    const answers = Array.from({ length: 100 }, (_, at) => outcome(`bad ${at}`))
    await expect.poll(() => store.lookUps).toBe(16)
    await stores.tenants.byCnpj(cnpj)
    expect(store.lookUps).toBe(16)
    release()
    expect(new Set(await Promise.all(answers))).toEqual(new Set(['UNAUTHENTICATED']))
    expect(store.lookUps).toBe(100)
  })
})

describe('while the database is slow or away', () => {
  it('serves a known tenant at once, and one known long ago after a short wait', async () => {
    directory = open({ patienceMs: 20 })
    await directory.load()
    const release = store.hold()
    onTestFinished(release)
    time += 300_000
    expect(directory.authenticate('one')).toMatchObject({ cnpj })
    time += 10 * hour
    const waited = directory.authenticate('one')
    expect(await Promise.race([waited, sleep(5_000)])).toMatchObject({ cnpj })
    expect(directory.status()).toEqual({ tenants: 1, staleSince: time })
    // Nobody waits again until the database is asked once more.
    expect(directory.authenticate('one')).toMatchObject({ cnpj })
  })

  it('tells since when, and that it is over', async () => {
    await directory.load()
    const working = stores.tenants.byTokenHash.bind(stores.tenants)
    stores.tenants.byTokenHash = () => Promise.reject(new GanchoError('DATABASE_UNAVAILABLE'))
    time += 10 * hour
    const since = time
    expect(await outcome('one')).toBe(cnpj)
    time += 1_000
    expect(await outcome('unknown')).toBe('DATABASE_UNAVAILABLE')
    expect(directory.status()).toEqual({ tenants: 1, staleSince: since })
    stores.tenants.byTokenHash = working
    time += 5_000
    expect(await outcome('one')).toBe(cnpj)
    expect(directory.status()).toEqual({ tenants: 1, staleSince: null })
  })

  it('does not serve a tenant that is told to have changed while a request waits', async () => {
    await directory.load()
    time += 10 * hour
    const answer = Promise.withResolvers<never>()
    stores.tenants.byTokenHash = () => answer.promise
    stores.tenants.usableTokens = () => answer.promise
    const waiting = outcome('one')
    directory.invalidate(cnpj)
    answer.reject(new GanchoError('DATABASE_UNAVAILABLE'))
    expect(await waiting).toBe('DATABASE_UNAVAILABLE')
  })

  it('asks for one of many tokens, once it is known to be so', async () => {
    await stores.tenants.addToken(tokenRow(cnpj, hashToken('two')))
    await directory.load()
    time += 400_000
    const working = stores.tenants.byTokenHash.bind(stores.tenants)
    stores.tenants.byTokenHash = () => Promise.reject(new GanchoError('DATABASE_UNAVAILABLE'))
    expect(await outcome('unknown')).toBe('DATABASE_UNAVAILABLE')
    stores.tenants.byTokenHash = working
    time += 5_000
    const release = store.hold()
    store.lookUps = 0
    for (const token of ['one', 'two']) expect(directory.authenticate(token)).toMatchObject({ cnpj })
    expect(store.lookUps).toBe(1)
    release()
  })

  it('serves nobody for longer than allowed', async () => {
    await directory.load()
    await stores.close()
    time += 24 * hour + 299_999
    expect(await outcome('one')).toBe(cnpj)
    time += 1
    expect(await outcome('one')).toBe('DATABASE_UNAVAILABLE')
  })
})
