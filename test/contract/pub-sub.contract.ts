import { afterAll, beforeAll, expect, test } from 'vitest'
import type { PubSub } from '../../src/sync/pub-sub.ts'
import { until } from '../support/client.ts'

export type PubSubUnderTest = {
  /** Two ends of the same carrier, as two instances have them; one twice where there is only one. */
  ends: [PubSub, PubSub]
  close(): Promise<void>
}

let topics = 0
const newTopic = () => {
  topics += 1
  return `topic-${topics}`
}

/** What every pub/sub promises. */
export function pubSubContract(open: () => Promise<PubSubUnderTest>): void {
  let under: PubSubUnderTest
  let here: PubSub
  let there: PubSub
  beforeAll(async () => {
    under = await open()
    ;[here, there] = under.ends
  })
  afterAll(() => under.close())

  /** Everything that this end hears of a topic. */
  const hearing = async (end: PubSub, topic: string) => {
    const heard: unknown[] = []
    const stop = await end.subscribe(topic, (message) => heard.push(message))
    return { heard, stop }
  }

  test('whoever has subscribed hears what is published from then on, at either end', async () => {
    const topic = newTopic()
    const [a, b] = [await hearing(here, topic), await hearing(there, topic)]
    await here.publish(topic, 'first')
    await until(() => a.heard.length === 1 && b.heard.length === 1)
    expect([a.heard, b.heard]).toEqual([['first'], ['first']])
  })

  test('messages of one publisher come in their order, each once', async () => {
    const topic = newTopic()
    const { heard } = await hearing(there, topic)
    const sent = Array.from({ length: 500 }, (_, i) => i)
    await Promise.all(sent.map((i) => here.publish(topic, i)))
    await until(() => heard.length >= sent.length)
    expect(heard).toEqual(sent)
  })

  test.each([
    ['null', null],
    ['a text with every kind of character', 'ção 💡 \u0000 "quoted" \n'],
    ['nested values', { list: [1, 2.5, true, null], of: { names: ['a'] } }],
    ['a megabyte', 'x'.repeat(1_000_000)],
  ])('a JSON value arrives as it is: %s', async (_what, message) => {
    const topic = newTopic()
    const { heard } = await hearing(there, topic)
    await here.publish(topic, message)
    await until(() => heard.length === 1)
    expect(heard).toEqual([message])
  })

  test('a message belongs to whoever gets it: what one listener does to it, no other sees', async () => {
    const topic = newTopic()
    const message = { list: [1] }
    const [a, b] = [await hearing(here, topic), await hearing(there, topic)]
    await here.publish(topic, message)
    await until(() => a.heard.length === 1 && b.heard.length === 1)
    expect(a.heard[0]).not.toBe(message)
    expect(b.heard[0]).not.toBe(message)
  })

  test('a topic is heard alone, whatever its name', async () => {
    const names = ['a', 'a:b', 'a*', 'error', '__proto__', 'constructor', 'ção'].map(
      (name) => newTopic() + name,
    )
    names.push('error')
    const all = await Promise.all(names.map((name) => hearing(there, name)))
    for (const name of names) await here.publish(name, name)
    await until(() => all.every(({ heard }) => heard.length > 0))
    expect(all.map(({ heard }) => heard)).toEqual(names.map((name) => [name]))
  })

  test('whoever has ended a subscription hears nothing more of it, and others of the same topic do', async () => {
    const topic = newTopic()
    const [a, b, c] = [await hearing(there, topic), await hearing(there, topic), await hearing(here, topic)]
    a.stop()
    a.stop()
    await here.publish(topic, 'one')
    await until(() => b.heard.length === 1 && c.heard.length === 1)
    b.stop()
    await here.publish(topic, 'two')
    await until(() => c.heard.length === 2)
    const again = await hearing(there, topic)
    await here.publish(topic, 'three')
    await until(() => again.heard.length === 1)
    expect([a.heard, b.heard, again.heard]).toEqual([[], ['one'], ['three']])
  })

  test('what nobody hears is published all the same', async () => {
    await here.publish(newTopic(), 'nobody')
  })

  test('a subscription that is made while another of its topic is ended hears everything', async () => {
    for (let turn = 0; turn < 20; turn += 1) {
      const topic = newTopic()
      const first = await hearing(there, topic)
      first.stop()
      const second = await hearing(there, topic)
      await here.publish(topic, turn)
      await until(() => second.heard.length === 1, { what: `turn ${turn}` })
    }
  })
}
