import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { type Finding, fail, ok, reasonOf, warn } from './finding.ts'
import type { DoctorSettings } from './settings.ts'

const gigabyte = 2 ** 30
const lowBytes = gigabyte
const tooLowBytes = gigabyte / 8
const othersMayRead = 0o077

/** Room and rights in DATA_DIR, and the secrets. */
export function checkDataDir(settings: DoctorSettings): Finding[] {
  return [disk(settings), secrets(settings)]
}

function disk({ dataDir, redisUrl, database }: DoctorSettings): Finding {
  const name = 'Disk'
  if (redisUrl && database) return ok(name, 'nothing is kept in DATA_DIR')
  const folder = firstThatIs(resolve(dataDir))
  try {
    accessSync(folder, constants.W_OK)
    const { bavail, bsize } = statfsSync(folder)
    const free = bavail * bsize
    const text = `${(free / gigabyte).toFixed(1)} GB free for ${dataDir}`
    const advice = 'make room, or set DATA_DIR to a larger disk'
    if (free < tooLowBytes) return fail(name, text, advice)
    return free < lowBytes ? warn(name, text, advice) : ok(name, text)
  } catch (error) {
    return fail(
      name,
      `${folder} cannot be written (${reasonOf(error)})`,
      'give it to the account of Gancho, or set DATA_DIR',
    )
  }
}

const firstThatIs = (folder: string): string => (existsSync(folder) ? folder : firstThatIs(dirname(folder)))

function secrets({ adminToken, encryptionSecret, redisUrl, database, dataDir }: DoctorSettings): Finding {
  const name = 'Secrets'
  if (adminToken && encryptionSecret) return ok(name, 'ADMIN_TOKEN and ENCRYPTION_SECRET are set')
  if (redisUrl || database)
    return fail(
      name,
      'ADMIN_TOKEN and ENCRYPTION_SECRET are not both set',
      'make them once, such as with "openssl rand -base64 33", and keep them safe',
    )
  const path = join(dataDir, 'secrets.json')
  if (!existsSync(path)) return ok(name, `the first start makes them in ${path}`)
  const open = process.platform !== 'win32' && (statSync(path).mode & othersMayRead) !== 0
  return open
    ? warn(name, `others on this machine may read ${path}`, `chmod 600 ${path}`)
    : ok(name, `those of development, in ${path}`)
}
