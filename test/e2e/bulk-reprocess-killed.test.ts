import { describe } from 'vitest'
import { expectCutBulkToEndWell } from '../support/cut-bulk-checks.ts'

// So slow that it is not over before whoever is to cut it has its turn on a busy machine.
const plan = { jobs: 200, ratePerSecond: 20, kills: 1, redisRestarts: 0, stepMs: 60_000 }

describe('200 failed jobs on their way back, while the worker is killed', () => expectCutBulkToEndWell(plan))
