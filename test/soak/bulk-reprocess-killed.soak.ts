import { describe } from 'vitest'
import { expectCutBulkToEndWell } from '../support/cut-bulk-checks.ts'

const plan = { jobs: 600, ratePerSecond: 150, kills: 1, redisRestarts: 0, stepMs: 60_000 }

describe('600 failed jobs on their way back, while the worker is killed', () => expectCutBulkToEndWell(plan))
