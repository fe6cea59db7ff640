import { isSamePlace } from './cluster-nodes.ts'
import type { ServerMap } from './master-connector.ts'
import type { HostAndPort } from './redis-address.ts'
import { sharedRun } from './shared-run.ts'

type Options<Holder, Known> = {
  /** Asks who the masters are. */
  ask: () => Promise<Known>
  /** Who has taken the place of this one, or is still there; undefined when nobody is known. */
  holderNow: (known: Known, holder: Holder) => HostAndPort | undefined
  everyMs: number
}

/**
 * Asks every so often, and whenever somebody needs to know, who the masters are, and tells whoever watches one that is no longer: a
 * server that hangs, or was replaced, closes no connection by itself.
 */
export function watchMasters<Holder extends HostAndPort, Known>(options: Options<Holder, Known>) {
  const watchers = new Set<{ holder: Holder; gone: () => void }>()
  const look = sharedRun(async () => {
    const known = await options.ask()
    for (const { holder, gone } of watchers) {
      const now = options.holderNow(known, holder)
      if (now && !isSamePlace(now, holder)) gone()
    }
    return known
  })
  // Whoever connects is told of the trouble.
  const timer = setInterval(() => void look().catch(() => undefined), options.everyMs)
  timer.unref()
  const watch: ServerMap<Holder>['watch'] = (holder, gone) => {
    const watcher = { holder, gone }
    watchers.add(watcher)
    return () => watchers.delete(watcher)
  }
  return { look, watch, stop: () => clearInterval(timer) }
}
