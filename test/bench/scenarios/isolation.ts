import { measureIsolation, startEndpoints } from '../harness/isolation-load.ts'
import { measuredFleet } from '../harness/redis.ts'
import type { Checkout, Contestant, Goal, Scenario, ScenarioOptions } from '../harness/scenario.ts'

const name = 'Gancho'
const slowed = (title: string, busy: string, quiet: string): Goal => ({
  title: `${title}: median during the flood ÷ when quiet`,
  ratio: (median) => median(name, busy) / median(name, quiet),
  atMost: 2,
})

export const isolation: Scenario = {
  name: 'isolation',
  title: 'Isolation: 100,000 jobs of one tenant wait and a destination hangs; what others get meanwhile',
  figures: [
    { name: 'perSecond', title: 'deliveries a second', digits: 0 },
    { name: 'ownQuietMs', title: 'own destination, quiet, ms', digits: 1 },
    { name: 'ownBusyMs', title: 'during the flood, ms', digits: 1 },
    { name: 'sharedQuietMs', title: 'shared destination, quiet, ms', digits: 1 },
    { name: 'sharedBusyMs', title: 'during the flood, ms', digits: 1 },
    { name: 'waiting', title: 'jobs not over, thousands', digits: 1 },
  ],
  goals: [
    slowed('own destination', 'ownBusyMs', 'ownQuietMs'),
    slowed('shared with the flood', 'sharedBusyMs', 'sharedQuietMs'),
  ],
  open: async (options) => options.checkouts.map((checkout) => contestantOf(checkout, options)),
}

function contestantOf(checkout: Checkout, { profiled }: ScenarioOptions): Contestant {
  return {
    name: checkout.name === '' ? name : `${name}, ${checkout.name}`,
    baseline: checkout.name !== '',
    async measure() {
      const answered = new Map<string, () => void>()
      const receiver = await startEndpoints((id) => answered.get(id)?.())
      const env = {
        ...{ ALLOWED_CIDRS: '127.0.0.0/8', ATTEMPT_TIMEOUT_MS: '30000', LOCK_DURATION_MS: '30000' },
        ...{ SWEEP_INTERVAL_MS: '30000', LOG_LEVEL: 'error', DESTINATION_URL: `${receiver.url}fast` },
        ...profiled,
      }
      const fleet = await measuredFleet({ receiver, env, checkout: checkout.url, startWithinMs: 60_000 })
      try {
        return await measureIsolation({ receiver }, fleet, answered)
      } finally {
        await fleet.close()
      }
    },
    close: async () => {},
  }
}
