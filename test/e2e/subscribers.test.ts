import { describe } from 'vitest'
import { expectEverySubscriberToGetTheJournal } from '../support/subscriber-checks.ts'

const plan = {
  ...{ subscribers: 40, cuts: 5, jobs: 150, senders: 4 },
  ...{ workerKills: 1, redisRestarts: 0, seed: 1, settleWithinMs: 90_000 },
}

describe('40 subscribers over event streams and WebSockets, each cut off 5 times in 600 changes, at two gateways', () =>
  expectEverySubscriberToGetTheJournal(plan, 240_000))
