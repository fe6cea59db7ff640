/** One block of the stream. `data` is null where a block only moves the id on, or only sets the time to wait. */
export type ServerSentEvent = {
  event: string
  data: string | null
  /** As of this block; kept from the ones before where it names none. */
  lastEventId: string | undefined
  retryMs: number | undefined
}

type Block = { event: string; data: string[]; id: string | undefined; retryMs: number | undefined }
const emptyBlock = (): Block => ({ event: 'message', data: [], id: undefined, retryMs: undefined })

/**
 * Reads a stream of server-sent events (HTML, section 9.2.6). Other than a browser it also tells of blocks without data, because a
 * cursor that moves on without an event is worth keeping. What follows the last blank line is incomplete, and dropped.
 */
export async function* serverSentEvents(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<ServerSentEvent, void, undefined> {
  let block = emptyBlock()
  let lastEventId: string | undefined
  for await (const line of linesOf(chunks)) {
    if (line !== '') {
      readField(block, line)
      continue
    }
    lastEventId = block.id ?? lastEventId
    const { event, data, retryMs } = block
    const says = data.length > 0 || block.id !== undefined || retryMs !== undefined
    if (says) yield { event, data: data.length > 0 ? data.join('\n') : null, lastEventId, retryMs }
    block = emptyBlock()
  }
}

function readField(block: Block, line: string): void {
  const colon = line.indexOf(':')
  const name = colon < 0 ? line : line.slice(0, colon)
  const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
  if (name === 'event') block.event = value || 'message'
  else if (name === 'data') block.data.push(value)
  else if (name === 'id' && !value.includes('\0')) block.id = value
  else if (name === 'retry' && /^\d+$/.test(value)) block.retryMs = Number(value)
}

/** Lines end with CR LF, LF or CR, and a CR at the end of a chunk may be half of the first. */
async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of chunks) {
    rest += decoder.decode(chunk, { stream: true })
    const whole = rest.endsWith('\r') ? rest.slice(0, -1) : rest
    const lines = whole.split(/\r\n|\r|\n/)
    rest = (lines.pop() ?? '') + rest.slice(whole.length)
    yield* lines
  }
}
