import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { keys } from '../../src/redis/keys.ts'
import { until } from '../support/client.ts'
import { coreForFile } from '../support/core-for-file.ts'
import { startDelivery } from '../support/delivery.ts'
import { startReceiver } from '../support/receiver.ts'

const program = fileURLToPath(new URL('../support/crashing-dispatcher.ts', import.meta.url))

const { core, server } = await coreForFile()

/** Three jobs in the hands of a dispatcher that was killed. */
async function crash(moment: string): Promise<number[]> {
  const ns = [await core.accept(), await core.accept(), await core.accept()]
  const child = spawn(process.execPath, [program, server.url, moment], { stdio: 'inherit' })
  expect(await once(child, 'exit')).toEqual([null, 'SIGKILL'])
  expect((await core.records.jobs(ns)).map(({ status }) => status)).toEqual(['QUEUED', 'QUEUED', 'QUEUED'])
  const [pending] = (await core.redis.xpending(keys.inbox, 'dispatchers')) as [number]
  expect(pending).toBe(3)
  return ns
}

/** Another dispatcher and a worker until the inbox is empty and nothing is left to deliver; how often each job was sent. */
async function recover(ns: readonly number[]) {
  const receiver = await startReceiver((response) => response.end())
  const delivery = startDelivery(core, { url: receiver.url })
  const dispatcher = core.newDispatcher()
  dispatcher.start()
  await until(async () => (await core.redis.xlen(keys.inbox)) === 0, { what: 'inbox empty' })
  const { queue } = core.lanes.get('nifi')
  await until(async () => (await queue.getJobCountByTypes('wait', 'active', 'delayed', 'failed')) === 0, {
    what: 'an empty queue',
  })
  await Promise.all([dispatcher.stop(), delivery.stop()])
  await receiver.close()
  expect((await core.records.jobs(ns)).map(({ status }) => status)).toEqual([
    'DELIVERED',
    'DELIVERED',
    'DELIVERED',
  ])
  return receiver.received.map(({ headers }) => headers['x-gancho-job']).sort()
}

const ids = (ns: readonly number[]) => ns.map((n) => `ID-${n}`)

test('a dispatcher killed before the jobs are in BullMQ: another one adds them, each is delivered once', async () => {
  const ns = await crash('before-add')
  expect(await core.lanes.get('nifi').queue.getWaitingCount()).toBe(0)
  expect(await recover(ns)).toEqual(ids(ns))
})

test('a dispatcher killed after the add, before it acknowledged: each job is delivered once', async () => {
  const ns = await crash('after-add')
  expect(await core.lanes.get('nifi').queue.getWaitingCount()).toBe(3)
  expect(await recover(ns)).toEqual(ids(ns))
})

test('entries that are claimed when their jobs are delivered already are acknowledged alone', async () => {
  const ns = await crash('after-add')
  const receiver = await startReceiver((response) => response.end())
  const delivery = startDelivery(core, { url: receiver.url })
  await until(() => receiver.received.length === 3)
  await delivery.stop()
  await receiver.close()
  expect(await recover(ns)).toEqual([])
})
