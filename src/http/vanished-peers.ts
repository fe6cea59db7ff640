import type { Socket } from 'node:net'
import type { Logger } from 'pino'
import { repeat } from '../redis/repeat.ts'
import { type ConnectionKey, connectionKey, type UnansweredTries } from './unanswered-tries.ts'

export type VanishedPeers = {
  /**
   * Cuts the connection once its peer is found to be gone.
   * @returns what stops watching
   */
  watch(socket: Socket): () => void
  /** Looks no more. */
  stop(): Promise<void>
}

type Options = {
  /** Undefined where the system does not tell. */
  unanswered: () => Promise<UnansweredTries | undefined>
  log: Logger
  everyMs?: number
  /** How long a peer may answer nothing of what is sent to it again and again. */
  afterMs?: number
  /** Milliseconds of any clock. */
  now?: () => number
}

/** Since when nothing was answered, as far as was looked. */
export type Silence = { since: number; tries: number }
type Peer = { key: ConnectionKey; silence: Silence | undefined }

/** So many are not lost on the way to a peer that lives: each comes after twice the time of the one before. */
const fewestTries = 3

/**
 * Finds peers that vanished while something was on its way to them, for which TCP itself takes a quarter of an hour, and Node has no way
 * to shorten that (TCP_USER_TIMEOUT, RFC 5482). One that reads slowly, or nothing at all, still answers, and is left alone.
 */
export function findVanishedPeers(options: Options): VanishedPeers {
  const { unanswered, log, everyMs = 3_000, afterMs = 10_000, now = () => performance.now() } = options
  const watched = new Map<Socket, Peer>()
  let isTold = true

  async function look(): Promise<void> {
    if (!isTold || watched.size === 0) return
    const tries = await unanswered()
    isTold = tries !== undefined
    const at = now()
    const gone = [...watched].filter(([, peer]) => {
      peer.silence = afterLook(peer.silence, tries?.get(peer.key) ?? 0, at)
      return isVanished(peer.silence, at - afterMs)
    })
    // What is still to be sent is of no use to anybody.
    for (const [socket] of gone) socket.resetAndDestroy()
    if (gone.length > 0) log.info({ peers: gone.length }, 'event streams cut: their peers have vanished')
  }

  const looking = repeat({ name: 'vanished peers', log, everyMs, turn: look })
  looking.start()
  return {
    watch(socket) {
      const key = connectionKey(socket)
      if (key !== undefined) watched.set(socket, { key, silence: undefined })
      return () => void watched.delete(socket)
    },
    stop: () => looking.stop(),
  }
}

/** What is known of a peer after a look. Fewer tries than before: it has answered between. */
export function afterLook(known: Silence | undefined, tries: number, at: number): Silence | undefined {
  if (tries === 0) return undefined
  return { since: known && tries >= known.tries ? known.since : at, tries }
}

export const isVanished = (silence: Silence | undefined, latest: number) =>
  silence !== undefined && silence.since <= latest && silence.tries >= fewestTries
