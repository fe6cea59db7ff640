import { expect, test } from 'vitest'
import { GanchoError } from '../../src/errors.ts'
import type { OperationStream, ResultBatch } from '../../src/graphql/operation-stream.ts'
import { type Outlet, pump } from '../../src/http/pump.ts'

const batchOf = (cursor: string): ResultBatch => ({ messages: [{ json: '{}', cursor }] })

/** A stream that gives these batches, `before` being called ahead of each. */
function streamOf(cursors: readonly string[], before: (cursor: string) => void): OperationStream {
  let at = 'begin'
  async function* batches() {
    for (const cursor of cursors) {
      before(cursor)
      at = cursor
      yield batchOf(cursor)
    }
  }
  return {
    batches: batches(),
    broken: new AbortController().signal,
    cursor: () => at,
    close: () => undefined,
  }
}

function outletOf(): Outlet & { written: (string | undefined)[] } {
  const written: (string | undefined)[] = []
  return {
    written,
    write(batch) {
      written.push(batch.messages[0]?.cursor)
      return true
    },
    onceDrained: () => () => undefined,
  }
}

test('what was given after the end was told is not written, and lies behind the cursor that is told', async () => {
  const ended = new AbortController()
  const refused = new GanchoError('TENANT_INACTIVE')
  const stream = streamOf(['a', 'b', 'c'], (cursor) => cursor === 'b' && ended.abort(refused))
  const outlet = outletOf()
  const ending = await pump({ stream, outlet, stallMs: 1_000, ended: ended.signal })
  expect(outlet.written).toEqual(['a'])
  expect(ending).toEqual({ error: refused, cursor: 'a' })
})

test('a stream that fails tells why, and the cursor of what was written', async () => {
  const stream = streamOf(['a', 'b'], (cursor) => {
    if (cursor === 'b') throw new GanchoError('REDIS_UNAVAILABLE')
  })
  const { error, cursor } = await pump({
    ...{ stream, outlet: outletOf(), stallMs: 1_000 },
    ended: new AbortController().signal,
  })
  expect([error?.code, cursor]).toEqual(['REDIS_UNAVAILABLE', 'a'])
})

test('nobody is told anything whose client is gone', async () => {
  const ended = new AbortController()
  ended.abort(null)
  const outlet = outletOf()
  const stream = streamOf(['a'], () => undefined)
  const ending = await pump({ stream, outlet, stallMs: 1_000, ended: ended.signal })
  expect([ending.error, outlet.written]).toEqual([null, []])
})
