import { readFileSync } from 'node:fs'
import { BlockList, isIP } from 'node:net'
import { join } from 'node:path'
import { usageError } from './failure.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export type Access = {
  /** Origin of Gancho, without a slash at its end. */
  url: string
  token: string | undefined
  /** Whether the token is the one that `npm start` made in `DATA_DIR`. */
  ofDevelopment: boolean
}

type Given = { url?: string | undefined; token?: string | undefined }

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8)
loopback.addAddress('::1', 'ipv6')

/**
 * Which Gancho is asked, and as whom: what was typed, then `GANCHO_URL` and `GANCHO_TOKEN`. For a Gancho on this machine the
 * administrator's token that it was started with serves too: `ADMIN_TOKEN`, or the one in `DATA_DIR`. It never leaves the machine.
 * @throws CliError when the address is none
 */
export function findAccess(given: Given, env: Environment): Access {
  const url = originOf(given.url || env.GANCHO_URL || `http://127.0.0.1:${env.PORT || 4000}`)
  const token = given.token || env.GANCHO_TOKEN
  if (token || !isThisMachine(url)) return { url, token, ofDevelopment: false }
  if (env.ADMIN_TOKEN) return { url, token: env.ADMIN_TOKEN, ofDevelopment: false }
  const made = developmentToken(env.DATA_DIR || '.gancho')
  return { url, token: made, ofDevelopment: made !== undefined }
}

function originOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol))
    throw usageError(`The address of Gancho must be http://… or https://…, and is ${JSON.stringify(text)}.`)
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`
}

function isThisMachine(url: string): boolean {
  const host = new URL(url).hostname.replaceAll(/[[\]]/g, '')
  const family = isIP(host)
  return host === 'localhost' || (family !== 0 && loopback.check(host, family === 6 ? 'ipv6' : 'ipv4'))
}

function developmentToken(dataDir: string): string | undefined {
  try {
    const { adminToken } = JSON.parse(readFileSync(join(dataDir, 'secrets.json'), 'utf8'))
    return typeof adminToken === 'string' ? adminToken : undefined
  } catch {
    // No Gancho was started from this folder, and the server will say that a token is needed.
    return undefined
  }
}
