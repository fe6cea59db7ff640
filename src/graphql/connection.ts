import { parseCursorConnectionArgs } from '@pothos/core'
import { GanchoError } from '../errors.ts'

export type PageArgs = {
  first?: number | null | undefined
  last?: number | null | undefined
  after?: string | null | undefined
  before?: string | null | undefined
}

/** A list ordered by a unique key that never changes, so that a cursor stays where it is while rows come and go around it. */
export type KeysetList<Node, Key> = {
  /** Part of its cursors, so that those of another list are refused. */
  name: string
  keyOf(node: Node): Key
  /** The key that was written into a cursor; undefined for a text that is none. */
  parseKey(text: string): Key | undefined
  /** `after` and `before` are outside the page, `fromEnd` takes the last ones of that range; always in the list's order. */
  read(page: {
    limit: number
    after?: Key
    before?: Key
    fromEnd: boolean
  }): Promise<Node[] | PageRead<Node, Key>>
}

/** `reached`: the key that a reader came to who had no time for a full page; there may be more beyond it. */
export type PageRead<Node, Key> = { nodes: Node[]; reached: Key | null }

export const defaultSize = 50
export const maxSize = 200
/** No list is counted further than this. */
export const maxCount = 10_000

/** One page of a list, see `keysetConnection`. */
export type Connection<Node> = {
  edges: { cursor: string; node: Node }[]
  pageInfo: PageInfo
}

type PageInfo = {
  startCursor: string | null
  endCursor: string | null
  hasPreviousPage: boolean
  hasNextPage: boolean
}

/**
 * One page of a list (GraphQL Cursor Connections Specification).
 * @throws GanchoError BAD_REQUEST for a size beyond 0 to 200, for `first` together with `last`, and for a cursor of another list
 */
export async function keysetConnection<Node, Key extends string | number>(
  args: PageArgs,
  list: KeysetList<Node, Key>,
): Promise<Connection<Node>> {
  checkSizes(args)
  const page = parseCursorConnectionArgs({ args, defaultSize, maxSize })
  const { after, before, limit, expectedSize, inverted: fromEnd } = page
  const read = await list.read({
    limit,
    fromEnd,
    ...(after ? { after: keyOfCursor(list, after) } : {}),
    ...(before ? { before: keyOfCursor(list, before) } : {}),
  })
  const { nodes: found, reached } = Array.isArray(read) ? { nodes: read, reached: null } : read
  const nodes = fromEnd ? found.slice(Math.max(0, found.length - expectedSize)) : found.slice(0, expectedSize)
  const edges = nodes.map((node) => ({ cursor: cursorOf(list, list.keyOf(node)), node }))
  const pageInfo = {
    startCursor: edges[0]?.cursor ?? null,
    endCursor: edges.at(-1)?.cursor ?? null,
    hasPreviousPage: page.hasPreviousPage(found.length),
    hasNextPage: page.hasNextPage(found.length),
  }
  return {
    edges,
    pageInfo: reached === null ? pageInfo : cutShort(pageInfo, cursorOf(list, reached), fromEnd),
  }
}

/** The cursor to go on from is where the reader came to, even when it found nothing on the way. */
const cutShort = (pageInfo: PageInfo, cursor: string, fromEnd: boolean): PageInfo =>
  fromEnd
    ? { ...pageInfo, startCursor: cursor, hasPreviousPage: true }
    : { ...pageInfo, endCursor: cursor, hasNextPage: true }

function checkSizes({ first, last }: PageArgs): void {
  if (first != null && last != null) throw new GanchoError('BAD_REQUEST', 'Say first or last, not both.')
  const size = first ?? last ?? defaultSize
  if (size < 0 || size > maxSize)
    throw new GanchoError('BAD_REQUEST', `${last == null ? 'first' : 'last'} must be from 0 to ${maxSize}.`)
}

function cursorOf<Node, Key>(list: KeysetList<Node, Key>, key: Key): string {
  return Buffer.from(`${list.name}:${key}`).toString('base64url')
}

function keyOfCursor<Node, Key>(list: KeysetList<Node, Key>, cursor: string): Key {
  const text = Buffer.from(cursor, 'base64url').toString()
  const prefix = `${list.name}:`
  const key = text.startsWith(prefix) ? list.parseKey(text.slice(prefix.length)) : undefined
  if (key === undefined) throw new GanchoError('BAD_REQUEST', 'This is not a cursor of this list.')
  return key
}
