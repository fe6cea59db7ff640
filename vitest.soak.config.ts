import { defineConfig } from 'vitest/config'
import base from './vitest.config.ts'

/**
 * Long runs: the ledger over many events (SOAK_EVENTS, SOAK_SEED), subscribers that are cut off (SOAK_SUBSCRIBERS, SOAK_CHANGES), what
 * subscriptions leave in memory, calls that wait at a time (SOAK_CALLS), a bulk that is cut (SOAK_JOBS), an install from a clone and what
 * the Dockerfile does, and the transition property over many runs (PROPERTY_RUNS).
 */
export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: ['test/soak/*.soak.ts', 'test/integration/transition-properties.test.ts'],
    fileParallelism: false,
    env: { PROPERTY_RUNS: process.env.PROPERTY_RUNS ?? '2000' },
  },
})
