import { createHttpClient } from '../../delivery/http-client.ts'
import { createUpstream, type UpstreamDeps } from './create-upstream.ts'
import type { Upstreams } from './upstream.ts'
import { defaultUpstream, type UpstreamSettings } from './upstream-settings.ts'

type Options = {
  connectTimeoutMs: number
  log: UpstreamDeps['log']
}

/** Of ten calls or more, within ten seconds where there are that many, more than half must fail. */
const breaker = { threshold: 0.5, minimumCalls: 10, windowMs: 10_000, openMs: 5_000 }
const repeatAfterMs = [100, 300]
const tokenFailureMs = 1_000
/** As many calls as one tenant may wait for by default: a slow upstream is to be slow for each of them, not for one after the other. */
const connectionsPerOrigin = 1_000

/** All upstreams of the configuration, over connections of their own. */
export function createUpstreams(
  settings: readonly UpstreamSettings[],
  { connectTimeoutMs, log }: Options,
): Upstreams & { close(): Promise<void> } {
  const client = createHttpClient({ connectTimeoutMs, connectionsPerOrigin })
  const deps: UpstreamDeps = { client, log, breaker, repeatAfterMs, tokenFailureMs, now: Date.now }
  const all = settings.map((one) => createUpstream(one, deps))
  const byName = new Map(all.map((upstream) => [upstream.name, upstream]))
  return {
    get: (name = defaultUpstream) => byName.get(name),
    all: () => all,
    close: () => client.close(),
  }
}
