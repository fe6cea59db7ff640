import { describe } from 'vitest'
import { expectEverySubscriberToGetTheJournal } from '../support/subscriber-checks.ts'

const subscribers = Number(process.env.SOAK_SUBSCRIBERS ?? 500)
const changes = Number(process.env.SOAK_CHANGES ?? 20_000)
const seed = Number(process.env.SOAK_SEED ?? Date.now() % 1_000_000)
const plan = {
  ...{ subscribers, cuts: 20, jobs: changes / 4, senders: 8 },
  ...{ workerKills: 1, redisRestarts: 1, seed, settleWithinMs: 600_000 },
}

describe(`${subscribers} subscribers, each cut off 20 times in ${changes} changes, at two gateways, while a worker is killed and Redis restarts (seed ${seed})`, () =>
  expectEverySubscriberToGetTheJournal(plan, 1_800_000))
