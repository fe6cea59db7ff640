import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { json, upstreamsForFile } from '../support/upstream-server.ts'

const { startServer, open } = upstreamsForFile()
/** `openMs`: longer than a busy machine takes for what is to happen while it is open. */
const breaker = { threshold: 0.5, minimumCalls: 10, windowMs: 10_000, openMs: 60_000 }
/** For what happens before and after one call tries it. */
const reopening = { ...breaker, openMs: 5_000 }
type Mode = 'works' | 'fails' | 'refuses' | 'hangs'

async function start(settings: { timeoutMs?: number } = {}, policy = breaker) {
  const how = { mode: 'works' as Mode }
  const status = () => ({ works: 201, fails: 500, refuses: 400, hangs: 0 })[how.mode]
  const server = await startServer({
    call: (response) => {
      if (how.mode !== 'hangs') json(response, status(), { id: 1 })
    },
  })
  const opened = open(server.origin, { tokenPath: null, ...settings }, { breaker: policy })
  const codes = async (count: number, signal?: () => AbortSignal) => {
    const found: string[] = []
    while (found.length < count) {
      const answer = await opened.call(signal ? { signal: signal() } : {})
      found.push(answer.kind === 'failed' ? answer.code : answer.kind)
    }
    return found
  }
  return { how, server, codes, ...opened }
}
const times = (count: number, code: string) => Array<string>(count).fill(code)

test('it opens when most of ten calls fail, and then answers without calling', async () => {
  const { how, server, codes, call, lines } = await start()
  how.mode = 'fails'
  expect(await codes(10)).toEqual(times(10, 'UPSTREAM_ERROR'))
  expect(await call()).toEqual({
    kind: 'failed',
    code: 'UPSTREAM_UNAVAILABLE',
    status: null,
    message: 'Upstream payments fails too often and is left alone for a moment.',
    maybeSent: false,
  })
  expect(server.calls).toHaveLength(10)
  expect(lines).toEqual(['upstream fails too often: it is not called for a while {"upstream":"payments"}'])
})

test('nine failures, and half of twenty, leave it closed', async () => {
  const { how, server, codes } = await start()
  how.mode = 'fails'
  await codes(9)
  how.mode = 'works'
  await codes(10)
  how.mode = 'fails'
  await codes(1)
  how.mode = 'works'
  expect(await codes(1)).toEqual(['accepted'])
  expect(server.calls).toHaveLength(21)
})

test('refusals are no failures of the upstream', async () => {
  const { how, codes } = await start()
  how.mode = 'refuses'
  expect(await codes(30)).toEqual(times(30, 'UPSTREAM_REFUSED'))
})

test('silence opens it', async () => {
  const { how, codes, call } = await start({ timeoutMs: 30 })
  how.mode = 'hangs'
  expect(await codes(10)).toEqual(times(10, 'UPSTREAM_TIMEOUT'))
  expect(await call()).toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' })
})

test('callers who wait too short a time do not open it for the others', async () => {
  const { how, codes } = await start()
  how.mode = 'hangs'
  expect(await codes(30, () => AbortSignal.timeout(5))).toEqual(times(30, 'UPSTREAM_TIMEOUT'))
  how.mode = 'works'
  expect(await codes(1)).toEqual(['accepted'])
})

test('after a while one call tries it, and closes it when that works', async () => {
  const { how, server, codes, call, lines } = await start({}, { ...breaker, openMs: 500 })
  how.mode = 'fails'
  await codes(10)
  how.mode = 'works'
  await eventually(async () => expect(await call()).toMatchObject({ kind: 'accepted' }))
  expect(server.calls).toHaveLength(11)
  expect(await codes(20)).toEqual(times(20, 'accepted'))
  expect(lines.at(-1)).toBe('upstream answers again {"upstream":"payments"}')
})

test('while one call tries it, the others are answered at once; when it fails, nobody tries for a while', async () => {
  const { how, server, codes, call } = await start({}, reopening)
  how.mode = 'fails'
  await codes(10)
  how.mode = 'hangs'
  const trying: ReturnType<typeof call>[] = []
  await eventually(() => {
    trying.push(call())
    expect(server.calls).toHaveLength(11)
  })
  expect(await codes(20)).toEqual(times(20, 'UPSTREAM_UNAVAILABLE'))
  for (const socket of server.sockets) socket.destroy()
  const outcomes = (await Promise.all(trying)).map((answer) => answer.kind === 'failed' && answer.code)
  expect(outcomes.filter((code) => code !== 'UPSTREAM_UNAVAILABLE')).toEqual(['UPSTREAM_UNREACHABLE'])
  expect(await codes(5)).toEqual(times(5, 'UPSTREAM_UNAVAILABLE'))
  expect(server.calls).toHaveLength(11)
})

test('a try that the caller breaks off closes nothing', async () => {
  const { how, server, codes, call } = await start({}, reopening)
  how.mode = 'fails'
  await codes(10)
  how.mode = 'hangs'
  const caller = new AbortController()
  const trying: ReturnType<typeof call>[] = []
  await eventually(() => {
    trying.push(call({ signal: caller.signal }))
    expect(server.calls).toHaveLength(11)
  })
  caller.abort()
  await Promise.all(trying)
  expect(await codes(1)).toEqual(['UPSTREAM_UNAVAILABLE'])
})
