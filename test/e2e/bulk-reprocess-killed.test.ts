import { describe } from 'vitest'
import { expectCutBulkToEndWell } from '../support/cut-bulk-checks.ts'

const plan = { jobs: 200, ratePerSecond: 50, kills: 1, redisRestarts: 0, stepMs: 60_000 }

describe('200 failed jobs on their way back, while the worker is killed', () => expectCutBulkToEndWell(plan))
