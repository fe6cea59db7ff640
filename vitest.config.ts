import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  // As Node resolves it: with Vite's preference for `module`, graphql would be there twice, and refuse what the other one made.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // What waits says what for after a minute; beside other work on the machine everything takes its time.
    testTimeout: 150_000,
    hookTimeout: 150_000,
    expect: { poll: { timeout: 60_000 } },
    pool: 'forks',
    // Most tests wait for servers and processes most of the time; by itself vitest leaves a core free.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
})
