import { isTooOld, oldestServer } from '../../redis/check-server.ts'
import { type Finding, fail, ok, warn } from './finding.ts'
import type { RedisFacts } from './redis-facts.ts'

const slowMs = 10
const tooSlowMs = 100
const skewMs = 1_000
const tooMuchSkewMs = 30_000
/** From here on intake refuses events. */
const fullShare = 0.8

/** What a Redis server is worth for Gancho; of a node of a Cluster it is told which one. */
export function judgeRedis(facts: RedisFacts): Finding[] {
  const { info, node } = facts
  const findings = [
    version(info),
    ...kind(facts),
    persistence(facts),
    eviction(info),
    memory(info),
    speed(facts),
    clock(facts),
  ]
  if (node === undefined) return findings
  return findings.map((finding) => ({ ...finding, message: `${node}: ${finding.message}` }))
}

type Info = RedisFacts['info']

function version(info: Info): Finding {
  const name = 'Redis version'
  const found = info.get('redis_version') ?? '0'
  return isTooOld(found)
    ? fail(name, `${found} is too old`, `install Redis or Valkey ${oldestServer.join('.')} or newer`)
    : ok(name, found)
}

function kind({ info, node }: RedisFacts): Finding[] {
  const findings: Finding[] = []
  if (info.get('cluster_enabled') === '1' && node === undefined)
    findings.push(
      fail(
        'Redis kind',
        'it is one node of a Cluster',
        'let REDIS_URL name several of its nodes, separated by commas',
      ),
    )
  if (info.get('role') === 'slave')
    findings.push(
      fail('Redis role', 'it is a replica, which takes no writes', 'let REDIS_URL name the primary'),
    )
  return findings
}

function persistence({ info, appendfsync }: RedisFacts): Finding {
  const name = 'Redis persistence'
  if (info.get('aof_enabled') !== '1')
    return fail(
      name,
      'no append-only file: a crash of Redis loses accepted events',
      'set appendonly to yes, in redis.conf and with CONFIG SET appendonly yes',
    )
  const failing = ['aof_last_write_status', 'aof_last_bgrewrite_status'].find(
    (status) => (info.get(status) ?? 'ok') !== 'ok',
  )
  if (failing) return fail(name, `${failing} is ${info.get(failing)}`, "look at Redis' log and at its disk")
  if (appendfsync === 'no')
    return warn(
      name,
      'appendfsync no: a power failure can lose half a minute of events',
      'set appendfsync to everysec, or to always to lose none',
    )
  return ok(name, `append-only file${appendfsync ? `, appendfsync ${appendfsync}` : ''}`)
}

function eviction(info: Info): Finding {
  const name = 'Redis eviction'
  const policy = info.get('maxmemory_policy') ?? 'unknown'
  if (policy === 'noeviction') return ok(name, policy)
  return fail(
    name,
    `maxmemory-policy ${policy}: Redis may evict keys, which loses jobs`,
    'set maxmemory-policy to noeviction',
  )
}

function memory(info: Info): Finding {
  const name = 'Redis memory'
  const most = Number(info.get('maxmemory') ?? 0)
  if (most === 0)
    return warn(
      name,
      'no maxmemory: intake cannot refuse events before the memory is full',
      'set maxmemory to what the machine can spare, such as half of it',
    )
  const used = Number(info.get('used_memory') ?? 0)
  const text = `${megabytes(used)} of ${megabytes(most)} used`
  return used / most >= fullShare
    ? fail(name, `${text}: intake refuses events from 80 % on`, 'raise maxmemory, or find out what fills it')
    : ok(name, text)
}

const megabytes = (bytes: number) => `${Math.ceil(bytes / 1_048_576).toLocaleString('en')} MB`

function speed({ latencyMs }: RedisFacts): Finding {
  const name = 'Redis latency'
  const text = `${latencyMs.toFixed(1)} ms a round trip`
  const advice = 'put Redis near Gancho, and see that its machine is not overloaded (redis-cli --latency)'
  if (latencyMs > tooSlowMs) return fail(name, text, advice)
  return latencyMs > slowMs ? warn(name, text, advice) : ok(name, text)
}

function clock({ clockAheadMs }: RedisFacts): Finding {
  const name = 'Clock'
  const skew = Math.abs(clockAheadMs)
  const text = `this machine and Redis are ${skew < 100 ? 'less than 0.1' : (skew / 1_000).toFixed(1)} s apart`
  const advice = 'keep the clocks of all machines with NTP, such as chrony'
  if (skew > tooMuchSkewMs) return fail(name, text, advice)
  return skew > skewMs ? warn(name, text, advice) : ok(name, text)
}
