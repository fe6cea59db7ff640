import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { readPrivateFile, writePrivateFile } from '../redis/private-file.ts'

const secretsSchema = z.object({ adminToken: z.string().min(16), encryptionSecret: z.string().min(16) })

export type DevelopmentSecrets = z.output<typeof secretsSchema>

/**
 * The admin token and the encryption secret of this data directory, made at the first call and the same ever after. Call it as
 * the owner of the directory: two processes at once could each make their own.
 * @throws Error when the file is there but not readable as secrets: new ones would make every stored token unreadable.
 */
export function developmentSecrets(dataDir: string): DevelopmentSecrets {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const path = join(dataDir, 'secrets.json')
  const kept = readPrivateFile(path)
  if (kept !== undefined) return parseSecrets(path, kept)
  const secrets = { adminToken: `gadm_${randomSecret()}`, encryptionSecret: randomSecret() }
  writePrivateFile(path, `${JSON.stringify(secrets, null, 2)}\n`)
  return secrets
}

const randomSecret = () => randomBytes(32).toString('base64url')

function parseSecrets(path: string, text: string): DevelopmentSecrets {
  try {
    return secretsSchema.parse(JSON.parse(text))
  } catch (cause) {
    throw new Error(
      `${path} is damaged. Restore it, or delete it to make new secrets (stored tokens then stop working).`,
      { cause },
    )
  }
}
