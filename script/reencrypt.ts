// Encrypts every tenant's token under the newest of ENCRYPTION_SECRET (a list, newest first), so that the older ones can be given up.
import { storeOptions } from '../src/app/store-options.ts'
import { environmentVariables, readConfig } from '../src/config.ts'
import { readEnvFile, withEnvironment } from '../src/env-file.ts'
import { openStores } from '../src/storage/open-stores.ts'
import { resealTokens } from '../src/tenants/reseal-tokens.ts'
import { resealSources } from '../src/tenants/sources/reseal-sources.ts'
import { tokenHashing } from '../src/tenants/token.ts'
import { tokenCipher } from '../src/tenants/token-cipher.ts'

const file = readEnvFile({ named: process.env.GANCHO_ENV_FILE, known: environmentVariables })
const config = readConfig(withEnvironment(file, process.env))
const [newest, ...older] = config.ENCRYPTION_SECRET ?? []
if (newest === undefined)
  throw new Error('Set ENCRYPTION_SECRET to the secrets, the newest first, separated by commas.')

const stores = await openStores(storeOptions(config))
try {
  const cipher = tokenCipher(newest, ...older)
  const { resealed, unchanged, unreadable } = await resealTokens({
    ...{ store: stores.tenants, cipher, hashToken: tokenHashing(newest) },
  })
  console.log(`${resealed} tokens are encrypted anew, ${unchanged} were already.`)
  if (unreadable.length > 0) {
    console.error(
      `None of the secrets opens these ${unreadable.length} tokens:\n  ${unreadable.join('\n  ')}`,
    )
    process.exitCode = 1
  }
  const sources = await resealSources(stores.sources, cipher)
  console.log(`The secrets of ${sources.resealed.length} sources are encrypted anew.`)
  if (sources.unreadable.length > 0) {
    console.error(`None of the secrets opens those of these sources:\n  ${sources.unreadable.join('\n  ')}`)
    process.exitCode = 1
  }
} finally {
  await stores.close()
}
