import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createAwaitedReplies } from '../../src/sync/awaited-replies.ts'
import { awaitWorld } from '../support/await-model.ts'
import { type Core, openCore } from '../support/core.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let core: Core
beforeAll(async () => {
  server = await startTestRedis()
  core = await openCore(server.url)
})
afterAll(async () => {
  await core.close()
  await server.stop()
})

type World = ReturnType<typeof awaitWorld>
type Step = { name: string; run: (world: World) => Promise<unknown[]> }

const tenant = fc.nat(1)
const owner = fc.nat(1)
const nth = fc.nat(9)
const externalId = fc.constantFrom('x', 'y', 'z')
const key = fc.constantFrom(null, 'k1', 'k2')
const body = fc.constantFrom('1', '1', '1', '2')
const yes = fc.boolean()

/** One kind of step, with what it is given in its name, so that a failure can be read. */
const step = <Args extends unknown[]>(
  weight: number,
  name: string,
  args: fc.Arbitrary<Args>,
  run: (world: World, ...args: Args) => Promise<unknown[]>,
) => ({
  weight,
  arbitrary: args.map(
    (given): Step => ({ name: `${name} ${given.join(' ')}`, run: (world) => run(world, ...given) }),
  ),
})

const steps = fc.oneof(
  step(8, 'open', fc.tuple(tenant, owner, key, body), (world, ...args) => world.open(...args)),
  step(8, 'bind', fc.tuple(tenant, nth, externalId), (world, ...args) => world.bind(...args)),
  step(10, 'webhook', fc.tuple(tenant, externalId, yes), (world, ...args) => world.webhook(...args)),
  step(4, 'callback', fc.tuple(tenant, nth, yes, tenant), (world, ...args) => world.callback(...args)),
  step(4, 'fail', fc.tuple(tenant, nth, owner, yes), (world, ...args) => world.fail(...args)),
  step(3, 'deadline', fc.tuple(tenant, nth), (world, ...args) => world.deadline(...args)),
  step(2, 'passDeadline', fc.tuple(tenant, nth), (world, ...args) => world.passDeadline(...args)),
  step(2, 'crash', fc.tuple(owner), (world, ...args) => world.crash(...args)),
  step(1, 'revive', fc.tuple(owner), (world, ...args) => world.revive(...args)),
)

const runs = Number(process.env.PROPERTY_RUNS ?? 40)

test('whatever is interleaved and whoever crashes, each call has exactly its first reply, and the rest are counted', async () => {
  const awaited = (name: string) => createAwaitedReplies({ redis: core.redis, owner: name, ttlMs: 60_000 })
  const byOwner = { a: awaited('a'), b: awaited('b') } as Record<string, ReturnType<typeof awaited>>
  const property = fc.asyncProperty(
    fc.array(steps, { minLength: 20, maxLength: 120, size: 'max' }),
    async (all) => {
      const left = await core.redis.keys('{gancho}:await*')
      if (left.length > 0) await core.redis.del(left)
      const { redis, intake } = core
      const world = awaitWorld({ redis, intake, awaited: (name) => byOwner[name] as never })
      for (const one of all) {
        const [said, expected] = await one.run(world)
        expect(said, one.name).toBe(expected)
        for (const t of [0, 1]) {
          const { shown, expected: model } = await world.compare(t)
          expect(shown, `after ${one.name}`).toEqual(model)
        }
      }
    },
  )
  await fc.assert(property, { numRuns: runs, endOnFailure: false })
}, 600_000)
