import { describe, expect, test } from 'vitest'
import { type ServerSentEvent, serverSentEvents } from '../../src/cli/stream/server-sent-events.ts'

/** Everything read of a stream that comes in chunks of that many bytes. */
async function read(stream: string, chunkBytes = Number.POSITIVE_INFINITY): Promise<ServerSentEvent[]> {
  const bytes = new TextEncoder().encode(stream)
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes)
  }
  return Array.fromAsync(serverSentEvents(chunks()))
}
const event = (fields: Partial<ServerSentEvent>): ServerSentEvent => ({
  ...{ event: 'message', data: null, lastEventId: undefined, retryMs: undefined },
  ...fields,
})

describe('a stream of server-sent events', () => {
  const stream =
    '\ufeff: hello\n\nevent: next\nid: 1-0\ndata: {"a":"ção"}\n\ndata:one\ndata: two\ndata\n\nid: 2-0\n\nretry: 250\n\nevent: complete\ndata\n\n'
  const expected = [
    event({ event: 'next', data: '{"a":"ção"}', lastEventId: '1-0' }),
    event({ data: 'one\ntwo\n', lastEventId: '1-0' }),
    event({ lastEventId: '2-0' }),
    event({ lastEventId: '2-0', retryMs: 250 }),
    event({ event: 'complete', data: '', lastEventId: '2-0' }),
  ]

  test.each([
    ['LF', '\n'],
    ['CR LF', '\r\n'],
    ['CR', '\r'],
  ])('reads the same with %s, however it is cut', async (_name, lineEnd) => {
    const text = stream.replaceAll('\n', lineEnd)
    for (const bytes of [Number.POSITIVE_INFINITY, 1, 2, 3, 7, 16]) {
      // The last CR could still be followed by an LF.
      const all = await read(lineEnd === '\r' ? `${text}: end\r` : text, bytes)
      expect(all, `in chunks of ${bytes} bytes`).toEqual(expected)
    }
  })

  test('tells a cursor that moves on without an event', async () => {
    expect(await read('id: 7\n\n: there\n\nid: 8\n\n')).toEqual([
      event({ lastEventId: '7' }),
      event({ lastEventId: '8' }),
    ])
  })

  test('keeps the cursor of before where an id holds a NUL, and takes an empty one', async () => {
    expect(await read('id: 7\n\nid: a\0b\ndata: x\n\nid\ndata: y\n\n')).toEqual([
      event({ lastEventId: '7' }),
      event({ data: 'x', lastEventId: '7' }),
      event({ data: 'y', lastEventId: '' }),
    ])
  })

  test('does not take a time to wait that is none, nor fields that it does not know', async () => {
    expect(await read('retry: soon\n\ncolour: red\n\ndata:  two blanks\n\n')).toEqual([
      event({ data: ' two blanks' }),
    ])
  })

  test('drops what the end cuts off', async () => {
    expect(await read('data: whole\n\ndata: half\n')).toEqual([event({ data: 'whole' })])
  })
})
