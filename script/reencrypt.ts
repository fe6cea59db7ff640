// Encrypts all tokens, and the secrets of sources and destinations, under the newest of ENCRYPTION_SECRET (a list, newest first), so
// that the older ones can be given up.
import { startProblem } from '../src/app/start-problem.ts'
import { storeOptions } from '../src/app/store-options.ts'
import { ConfigError, environmentVariables, readConfig } from '../src/config.ts'
import { resealDestinations } from '../src/delivery/reseal-destinations.ts'
import { readEnvironment } from '../src/env-file.ts'
import { openStores, type Stores } from '../src/storage/open-stores.ts'
import { resealTokens } from '../src/tenants/reseal-tokens.ts'
import { resealSources } from '../src/tenants/sources/reseal-sources.ts'
import { tokenHashing } from '../src/tenants/token.ts'
import { tokenCipher } from '../src/tenants/token-cipher.ts'

type Secrets = readonly [string, ...string[]]

async function reencrypt(stores: Stores, [newest, ...older]: Secrets): Promise<void> {
  const cipher = tokenCipher(newest, ...older)
  const tokens = await resealTokens({ store: stores.tenants, cipher, hashToken: tokenHashing(newest) })
  console.log(`${tokens.resealed} tokens are encrypted anew, ${tokens.unchanged} were already.`)
  tellUnreadable('tokens', tokens.unreadable)
  const sources = await resealSources(stores.sources, cipher)
  console.log(`The secrets of ${sources.resealed.length} sources are encrypted anew.`)
  tellUnreadable('sources', sources.unreadable)
  const destinations = await resealDestinations(stores.destinations, cipher)
  console.log(`The secrets of ${destinations.resealed.length} destinations are encrypted anew.`)
  tellUnreadable('destinations', destinations.unreadable)
}

function tellUnreadable(what: string, ids: readonly string[]): void {
  if (ids.length === 0) return
  console.error(`None of the secrets opens these ${ids.length} ${what}:\n  ${ids.join('\n  ')}`)
  process.exitCode = 1
}

try {
  const config = readConfig(readEnvironment(process.env, environmentVariables).env)
  const secrets = config.ENCRYPTION_SECRET
  if (!secrets) throw new ConfigError(['ENCRYPTION_SECRET: needed, the newest first, separated by commas'])
  const stores = await openStores(storeOptions(config))
  try {
    await reencrypt(stores, secrets)
  } finally {
    await stores.close()
  }
} catch (error) {
  const problem = startProblem(error)
  if (problem === undefined) throw error
  console.error(`Cannot encrypt anew: ${problem}`)
  process.exitCode = 1
}
