export type HostAndPort = { host: string; port: number }

type Access = { username: string | undefined; password: string | undefined; tls: boolean }

/** What REDIS_URL names: one server, nodes of a Cluster, or the Sentinels that know where the server is. */
export type RedisAddress =
  | { kind: 'server'; url: string }
  | ({ kind: 'cluster'; nodes: readonly HostAndPort[] } & Access)
  | ({ kind: 'sentinel'; sentinels: readonly HostAndPort[]; name: string; db: number } & Access)

export type ClusterAddress = Extract<RedisAddress, { kind: 'cluster' }>
export type SentinelAddress = Extract<RedisAddress, { kind: 'sentinel' }>

const expected =
  'expected redis://host:6379 or rediss://host:6379, several nodes of a Cluster separated by commas, or redis+sentinel://host:26379,host:26379/name'
const sentinelForm =
  /^redis(?<tls>s?)\+sentinel:\/\/(?:(?<user>[^@/]*)@)?(?<hosts>[^@/]+)\/(?<name>[\w.-]+)(?:\/(?<db>\d{1,5}))?$/
const serverPort = 6_379
const sentinelPort = 26_379

/**
 * Reads `redis://`, `rediss://` (TLS), a comma-separated list of either, and `redis+sentinel://[user:password@]host,host/name[/db]`.
 * In a list, what is special in a password is percent-encoded, the comma included.
 * @throws Error with what was expected
 */
export function parseRedisAddress(text: string): RedisAddress {
  if (text.includes('+sentinel:')) return sentinelAddress(text)
  // A comma in the password of a single server names no second one.
  const hosts = text.replace(/^rediss?:\/\/[^@/]*@/, '')
  if (hosts.includes(',')) return clusterAddress(text.split(','))
  urlOf(text)
  return { kind: 'server', url: text }
}

function sentinelAddress(text: string): RedisAddress {
  const { tls, user = '', hosts = '', name, db = 0 } = sentinelForm.exec(text)?.groups ?? {}
  if (!name) throw new Error(`${expected}[/database]`)
  const { username, password } = accessOf(urlOf(`redis://${user}@host`))
  const sentinels = hosts.split(',').map((host) => placeOf(urlOf(`redis://${host}`), sentinelPort))
  return { kind: 'sentinel', sentinels, name, db: Number(db), username, password, tls: tls === 's' }
}

function clusterAddress(parts: readonly string[]): RedisAddress {
  const [first = '', ...others] = parts.map((part) => part.trim())
  const scheme = /^rediss?:\/\//.exec(first)?.[0]
  if (!scheme) throw new Error(expected)
  const urls = [first, ...others.map((part) => (part.includes('://') ? part : scheme + part))].map(urlOf)
  if (urls.some(({ pathname }) => !/^(\/0?)?$/.test(pathname)))
    throw new Error('expected no database behind the nodes of a Cluster, which has one alone')
  const [account, ...further] = urls.map(accessOf) as [Access, ...Access[]]
  for (const { username = account.username, password = account.password, tls } of further) {
    if (username !== account.username || password !== account.password || tls !== account.tls)
      throw new Error('expected one scheme, user and password for all nodes of the Cluster')
  }
  return { kind: 'cluster', nodes: urls.map((url) => placeOf(url, serverPort)), ...account }
}

function urlOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url?.hostname || !/^rediss?:$/.test(url.protocol)) throw new Error(expected)
  return url
}

const accessOf = ({ username, password, protocol }: URL): Access => ({
  username: username ? decodeURIComponent(username) : undefined,
  password: password ? decodeURIComponent(password) : undefined,
  tls: protocol === 'rediss:',
})

const placeOf = ({ hostname, port }: URL, standard: number): HostAndPort => ({
  // Brackets of an IPv6 address belong to the URL.
  host: hostname.replace(/^\[|\]$/g, ''),
  port: Number(port) || standard,
})
