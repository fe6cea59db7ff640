// How long 100,000 tenants take to be known, what they weigh, and what asking for one costs:
//   node script/run.mjs test/bench/tenant-directory.ts [tenants]
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { openSqliteStores } from '../../src/storage/open-stores.ts'
import { TenantDirectory } from '../../src/tenants/directory.ts'
import { newTenantToken, tokenHashing } from '../../src/tenants/token.ts'
import { seedTenants } from '../support/seed-tenants.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const count = Number(process.argv[2] ?? 100_000)
const secret = 'a secret for measurements'
const hashToken = tokenHashing(secret)

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

function heapMb(): number {
  collect()
  return process.memoryUsage().heapUsed / 1_048_576
}

async function timed(what: string, times: number, work: () => unknown): Promise<void> {
  const startedAt = performance.now()
  await work()
  const tookMs = performance.now() - startedAt
  const each = times > 1 ? `, ${((tookMs / times) * 1_000).toFixed(2)} µs each` : ''
  console.log(`${what}: ${tookMs.toFixed(0)} ms${each}`)
}

const folder = await temporaryFolder()
const path = join(folder.path, 'gancho.db')
const stores = await openSqliteStores({ path })
try {
  const tokens = await seedTenants(path, count, secret)
  const lookUps = { made: 0 }
  const byTokenHash: typeof stores.tenants.byTokenHash = (hash) => {
    lookUps.made++
    return stores.tenants.byTokenHash(hash)
  }
  const store = {
    byTokenHash,
    byCnpj: stores.tenants.byCnpj.bind(stores.tenants),
    tokens: stores.tenants.tokens.bind(stores.tenants),
    usableTokens: stores.tenants.usableTokens.bind(stores.tenants),
  }
  const directory = new TenantDirectory({ store, hashToken })
  const before = heapMb()
  await timed(`read ${count} tenants at start`, 1, () => directory.load())
  console.log(`memory for them: ${(heapMb() - before).toFixed(0)} MB`)
  await timed('known tokens', count, () => {
    for (const token of tokens) directory.authenticate(token)
  })
  await timed('50,000 bad tokens', 50_000, () =>
    Promise.allSettled(Array.from({ length: 50_000 }, async () => directory.authenticate(newTenantToken()))),
  )
  console.log(`look-ups in the database for them: ${lookUps.made}`)
  directory.invalidate('*')
  await timed('a tenant after all were doubted', 1, () => directory.authenticate(tokens[0] ?? ''))
  await timed('all of them read again behind it', 1, () => directory.load())
  await timed('a search through all of them', 1, () =>
    stores.tenants.list({ limit: 50, filter: { text: 'nobody is called that' } }),
  )
} finally {
  await stores.close()
  await folder.remove()
}
