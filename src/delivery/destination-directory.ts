import type { Logger } from 'pino'
import type { TokenCipher } from '../tenants/token-cipher.ts'
import { UnknownTokens } from '../tenants/unknown-tokens.ts'
import type { Destination, DestinationSettings, StoredDestination } from './destination.ts'
import { openDestination } from './destination-secrets.ts'
import type { DestinationStore } from './destination-store.ts'
import type { FindDestination, FoundDestination } from './find-destination.ts'
import { type Known, KnownDestinations } from './known-destinations.ts'

/** Whose destinations: a CNPJ, or `default` for those of all tenants. */
export type Owner = string
export const ownerOf = (cnpj: string | null): Owner => cnpj ?? 'default'
const cnpjOf = (owner: Owner) => (owner === 'default' ? null : owner)

type Deps = {
  store: Pick<DestinationStore, 'byId' | 'list'>
  cipher: Pick<TokenCipher, 'decrypt'>
  /** The one that no store has. */
  environment: Destination
  /** How long a change that this instance was not told of goes unnoticed. */
  ttlMs: number
  log: Pick<Logger, 'error' | 'warn' | 'info'>
  /** Epoch milliseconds. */
  now?: () => number
}

export type DestinationDirectory = {
  /** Reads all of them. @throws GanchoError DATABASE_UNAVAILABLE */
  load(): Promise<void>
  /** Reads those of one owner; what was known before a failure is known after it. @throws GanchoError DATABASE_UNAVAILABLE */
  refresh(owner: Owner): Promise<void>
  /** Told of a change: reads behind the caller's back, again and again while the database does not answer. `*`: all of them. */
  invalidate(owner: Owner): void
  /** What is due: all of them after `ttlMs`, and whatever could not be read before. */
  turn(): Promise<void>
  /** The destinations that an event of this tenant may go to: its own if it has any, else the defaults, else the environment's. */
  candidates(cnpj: string): readonly DestinationSettings[]
  /** What is known of a destination, without its secrets being read. */
  get(id: string): Known | undefined
  /** Those that a tenant has of its own, in order of their ids. */
  ofTenant(cnpj: string): readonly Known[]
  find: FindDestination
  queues(): ReadonlySet<string>
}

const pageSize = 500

/** Destinations in memory, for every event and every delivery. Those that are known are served on while the database is away. */
export function destinationDirectory(deps: Deps): DestinationDirectory {
  const { store, cipher, environment, ttlMs, log, now = Date.now } = deps
  const known = new KnownDestinations()
  const gone = new UnknownTokens({ now, forMs: 30_000, max: 10_000 })
  const doubted = new Set<Owner>()
  const refreshes = new Map<Owner, { running: Promise<void>; waiting?: Promise<void> | undefined }>()
  /** Owners that were read while all were: what the long read says of them is older. */
  let readMeanwhile = new Set<Owner>()
  let loading: Promise<void> | undefined
  let nextLoadAt = 0
  const environmentKnown: Known = { settings: environment, destination: environment }

  /** Its secrets are opened again only when they are others, because that is most of the work. */
  function opened(stored: StoredDestination): Known {
    const before = known.byId(stored.id)
    const { secrets, ...settings } = stored
    if (before?.sealed === secrets && before.settings.version === stored.version) return before
    try {
      const destination = openDestination(cipher, stored)
      return { settings: destination, destination, sealed: secrets }
    } catch (err) {
      log.error({ err, destination: stored.id }, 'the secrets of a destination cannot be read; its jobs wait')
      return { settings, destination: undefined, sealed: secrets }
    }
  }

  async function readOwner(owner: Owner) {
    const filter = { cnpj: cnpjOf(owner) }
    try {
      const list = await store.list({ limit: pageSize, filter })
      known.replaceOwner(owner, list.map(opened))
      doubted.delete(owner)
      readMeanwhile.add(owner)
    } catch (error) {
      doubted.add(owner)
      throw error
    }
  }

  /** One read at a time for each owner; whoever asks while one runs gets the next, which sees what was written by then. */
  function refresh(owner: Owner): Promise<void> {
    const entry = refreshes.get(owner)
    if (!entry) {
      const running = readOwner(owner).finally(() => {
        const { waiting } = refreshes.get(owner) ?? {}
        if (!waiting) refreshes.delete(owner)
      })
      refreshes.set(owner, { running })
      return running
    }
    entry.waiting ??= entry.running
      .catch(() => undefined)
      .then(() => {
        refreshes.delete(owner)
        return refresh(owner)
      })
    return entry.waiting
  }

  async function loadPages() {
    readMeanwhile = new Set()
    // Not all instances at the same moment. Set before, so that whoever asks for it meanwhile gets another one.
    nextLoadAt = now() + ttlMs * (0.8 + 0.2 * Math.random())
    const all: Known[] = []
    for (let after: string | undefined; ; ) {
      const page = await store.list({ limit: pageSize, ...(after === undefined ? {} : { after }) })
      all.push(...page.map(opened))
      after = page.at(-1)?.id
      if (page.length < pageSize) break
    }
    known.replaceAll(all, readMeanwhile)
  }

  function load(): Promise<void> {
    loading ??= loadPages()
      .catch((error: unknown) => {
        nextLoadAt = 0
        throw error
      })
      .finally(() => {
        loading = undefined
      })
    return loading
  }

  const lookUps = new Map<string, Promise<FoundDestination>>()
  async function lookUp(id: string): Promise<FoundDestination> {
    try {
      const stored = await store.byId(id)
      if (!stored) {
        gone.add(id)
        return { kind: 'gone' }
      }
      await refresh(ownerOf(stored.cnpj))
      return foundOf(known.byId(id))
    } catch (err) {
      log.warn({ err, destination: id }, 'a destination could not be looked up; its job waits')
      return { kind: 'unknown' }
    }
  }

  return {
    load,
    refresh,
    invalidate(owner) {
      if (owner === '*') nextLoadAt = 0
      else refresh(owner).catch(() => undefined)
    },
    async turn() {
      if (now() >= nextLoadAt) await load()
      for (const owner of [...doubted]) await refresh(owner)
    },
    candidates: (cnpj) => known.ofOwner(cnpj) ?? known.ofOwner('default') ?? [environment],
    get: (id) => (id === environment.id ? environmentKnown : known.byId(id)),
    ofTenant: (cnpj) => (known.ofOwner(cnpj) ?? []).flatMap(({ id }) => known.byId(id) ?? []),
    async find(id) {
      if (id === environment.id) return { kind: 'known', destination: environment }
      const here = known.byId(id)
      if (here) return foundOf(here)
      if (gone.has(id)) return { kind: 'gone' }
      const running = lookUps.get(id) ?? lookUp(id).finally(() => lookUps.delete(id))
      lookUps.set(id, running)
      return running
    },
    queues: () => known.queues(),
  }
}

/** One that was there a moment ago, and is not among its owner's any more, was deleted in between: the next look says so. */
function foundOf(known: Known | undefined): FoundDestination {
  return known?.destination ? { kind: 'known', destination: known.destination } : { kind: 'unknown' }
}
