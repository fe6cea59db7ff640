import { describe } from 'vitest'
import { expectCutBulkToEndWell } from '../support/cut-bulk-checks.ts'

const jobs = Number(process.env.SOAK_JOBS ?? 10_000)
const plan = { jobs, ratePerSecond: 500, kills: 3, redisRestarts: 2, stepMs: 300_000 }

describe(`${jobs} failed jobs on their way back at 500/s, while workers are killed and Redis goes away`, () =>
  expectCutBulkToEndWell(plan))
