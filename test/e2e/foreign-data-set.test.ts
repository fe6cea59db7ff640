import { afterAll, beforeAll, expect, test } from 'vitest'
import { keys } from '../../src/redis/keys.ts'
import { type Fleet, openFleet } from '../support/fleet.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

let fleet: Fleet
let elsewhere: Awaited<ReturnType<typeof temporaryFolder>>
beforeAll(async () => {
  elsewhere = await temporaryFolder()
  fleet = await openFleet({ answer: (response) => response.end() })
})
afterAll(async () => {
  await fleet.close()
  await elsewhere.remove()
})

test('a Redis data set of another history database is refused at start, in words and with exit code 1, and stays as it was', async () => {
  const owner = await fleet.start('all')
  const before = await fleet.data.mget(keys.history, keys.epoch)
  await expect(fleet.start('all', { DATA_DIR: elsewhere.path })).rejects.toThrow(
    /^ended with 1:\nGancho cannot start: this Redis data set belongs to history database .+ Connect both to the same database, or give this process a Redis of its own\.\n$/,
  )
  expect(await fleet.data.mget(keys.history, keys.epoch)).toEqual(before)
  await owner.stop()
})

test('a second process with the same history database is taken', async () => {
  const [first, second] = [await fleet.start('all'), await fleet.start('all')]
  expect(await Promise.all([first.stop(), second.stop()])).toEqual([0, 0])
})
