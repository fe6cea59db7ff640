import { randomBytes } from 'node:crypto'
import { GanchoError } from '../errors.ts'
import { type Lanes, maxQueues } from '../events/lanes.ts'
import { defaultDestinationId, defaultQueue } from '../events/routing.ts'
import type { TenantInvalidation } from '../tenants/invalidation.ts'
import type { TokenCipher } from '../tenants/token-cipher.ts'
import { type Destination, defaultMaxConcurrency, type StoredDestination } from './destination.ts'
import { type DestinationDirectory, ownerOf } from './destination-directory.ts'
import { type DestinationInput, readDestinationInput } from './destination-input.ts'
import { newSigningSecret, openDestination, rotatedSecrets, sealDestination } from './destination-secrets.ts'
import type { DestinationStore, DestinationsPage } from './destination-store.ts'
import { type DestinationView, viewOf } from './destination-view.ts'

export type DestinationServiceDeps = {
  store: DestinationStore
  directory: Pick<DestinationDirectory, 'refresh'>
  invalidation: Pick<TenantInvalidation, 'publish'>
  cipher: Pick<TokenCipher, 'encrypt' | 'decrypt'>
  lanes: Pick<Lanes, 'all' | 'open'>
  /** Has people told that a destination is put out of service, as soon as its stored version is this one or a later. */
  tellOfDisabling: (destination: Pick<Destination, 'id' | 'version'>, reason: string) => Promise<void>
  /** The URL in its normal form. @throws GanchoError BAD_REQUEST, DESTINATION_NOT_ALLOWED */
  checkUrl: (text: string) => URL
  /** Epoch milliseconds. */
  now?: () => number
}

export type NewDestination = DestinationInput & { cnpj: string | null; name: string; url: string }
/** `version`: the one that the change was made of; left out, it is made of whichever there is. */
export type DestinationUpdate = DestinationInput & { version?: number | undefined }
/** `signingSecret` is in the clear: this is the one time it is shown. */
export type CreatedDestination = { destination: DestinationView; signingSecret: string }
export type ServiceOptions = {
  /** Whether a queue that is not there yet may be named. */
  mayOpenQueues: boolean
}

/** Every method may throw GanchoError DATABASE_UNAVAILABLE. */
export type DestinationService = {
  /**
   * @throws GanchoError BAD_REQUEST, DESTINATION_NOT_ALLOWED, TENANT_NOT_FOUND, TOO_MANY_DESTINATIONS, TOO_MANY_QUEUES,
   * QUEUE_NOT_FOUND where the queue would have to be opened and may not be
   */
  create(input: NewDestination, options: ServiceOptions): Promise<CreatedDestination>
  /** @throws GanchoError as `create`, and DESTINATION_NOT_FOUND, DESTINATION_CHANGED, TOKEN_UNREADABLE */
  update(id: string, change: DestinationUpdate, options: ServiceOptions): Promise<DestinationView>
  /**
   * A new secret that signs first; the others sign as well until the overlap ends.
   * @throws GanchoError DESTINATION_NOT_FOUND, DESTINATION_CHANGED, TOKEN_UNREADABLE, BAD_REQUEST for an overlap beyond 0 to 30 days
   */
  rotateSecret(id: string, overlapSeconds: number): Promise<CreatedDestination>
  /** Its waiting jobs fail as DESTINATION_GONE when their turn comes. @returns its id. @throws GanchoError DESTINATION_NOT_FOUND */
  remove(id: string): Promise<string>
  /** Puts it out of service, unless it was changed since this version. */
  disable(destination: Pick<Destination, 'id' | 'version'>, reason: string): Promise<void>
  /** From the store, so that it shows the last change. */
  find(id: string): Promise<DestinationView | null>
  list(page: DestinationsPage): Promise<DestinationView[]>
}

const maxDestinations = 20
const maxOverlapSeconds = 30 * 86_400

/** What administrators and tenants do to destinations. When a change is answered, this instance knows it, and the others are told. */
export function destinationService(deps: DestinationServiceDeps): DestinationService {
  const { store, directory, invalidation, cipher, checkUrl, now = Date.now } = deps

  /** Makes a change, and tells of it whatever came back: an answer that was lost may have been a yes. */
  async function changing<Result>(cnpj: string | null, change: () => Promise<Result>): Promise<Result> {
    const owner = ownerOf(cnpj)
    try {
      return await change()
    } finally {
      // What it cannot read now it reads as soon as it can.
      await directory.refresh(owner).catch(() => undefined)
      await invalidation.publish(owner)
    }
  }

  async function existing(id: string): Promise<StoredDestination> {
    if (id === defaultDestinationId)
      throw new GanchoError('FORBIDDEN', 'The environment names this destination; nobody else changes it.')
    const stored = await store.byId(id)
    if (!stored) throw new GanchoError('DESTINATION_NOT_FOUND')
    return stored
  }

  async function write(before: Destination, after: Partial<Destination>): Promise<Destination> {
    const changed = { ...before, ...after, updatedAt: now(), version: before.version + 1 }
    await changing(before.cnpj, () => store.update(sealDestination(cipher, changed)))
    return changed
  }

  const read = (given: DestinationInput, options: ServiceOptions): DestinationInput => {
    const input = readDestinationInput(given)
    if (input.queue !== undefined) checkQueue(deps.lanes, input.queue, options)
    return input.url === undefined ? input : { ...input, url: checkUrl(input.url).href }
  }

  return {
    async create({ cnpj, ...given }, options) {
      const signingSecret = newSigningSecret()
      const input = read(given, options) as DestinationInput & { name: string; url: string }
      const signingSecrets = [{ secret: signingSecret, endsAt: null }]
      const destination: Destination = { ...newDestination(cnpj, now()), signingSecrets, ...input }
      await changing(cnpj, () => store.create(sealDestination(cipher, destination), maxDestinations))
      deps.lanes.open(destination.queue)
      return { destination: viewOf(destination), signingSecret }
    },
    async update(id, { version, ...given }, options) {
      const stored = await existing(id)
      if (version !== undefined && version !== stored.version) throw new GanchoError('DESTINATION_CHANGED')
      const input = read(given, options)
      const inService = input.active ? { disabledAt: null, disabledReason: null } : {}
      const changed = await write(openDestination(cipher, stored), { ...input, ...inService })
      deps.lanes.open(changed.queue)
      return viewOf(changed)
    },
    async rotateSecret(id, overlapSeconds) {
      if (!(overlapSeconds >= 0 && overlapSeconds <= maxOverlapSeconds))
        throw new GanchoError('BAD_REQUEST', `overlapSeconds must be from 0 to ${maxOverlapSeconds}.`)
      const before = openDestination(cipher, await existing(id))
      const signingSecret = newSigningSecret()
      const times = { now: now(), endAt: now() + overlapSeconds * 1_000 }
      const signingSecrets = rotatedSecrets(before.signingSecrets, signingSecret, times)
      return { destination: viewOf(await write(before, { signingSecrets })), signingSecret }
    },
    async remove(id) {
      const { cnpj } = await existing(id)
      if (!(await changing(cnpj, () => store.remove(id)))) throw new GanchoError('DESTINATION_NOT_FOUND')
      return id
    },
    async disable({ id, version }, reason) {
      const stored = await store.byId(id)
      if (stored?.version !== version) return
      // First, because a crash between the two must not leave it out of service without a word.
      await deps.tellOfDisabling({ id, version: version + 1 }, reason)
      const out = { active: false, disabledAt: now(), disabledReason: reason }
      await write(openDestination(cipher, stored), out)
    },
    async find(id) {
      const stored = await store.byId(id)
      return stored && seen(cipher, stored)
    },
    list: async (page) => (await store.list(page)).map((stored) => seen(cipher, stored)),
  }
}

/** One whose secrets nobody can read any more is shown all the same, so that it can be deleted. */
function seen(cipher: DestinationServiceDeps['cipher'], stored: StoredDestination): DestinationView {
  try {
    return viewOf(openDestination(cipher, stored))
  } catch (error) {
    if (!(error instanceof GanchoError) || error.code !== 'TOKEN_UNREADABLE') throw error
    return viewOf(stored)
  }
}

/** What a destination is that says nothing but its name and URL. */
function newDestination(cnpj: string | null, at: number): Omit<Destination, 'name' | 'url'> {
  return {
    ...{ id: newId(at), cnpj, queue: defaultQueue, active: true, eventTypes: [], filter: null },
    ...{ headers: {}, auth: { kind: 'none' }, signingSecrets: [] },
    ...{ retryScheduleSeconds: null, retryForSeconds: null, finalStatuses: null, timeoutMs: null },
    ...{ maxConcurrency: defaultMaxConcurrency, ratePerSecond: null, deliveryWindow: null },
    ...{ fifo: false, fifoBlockSeconds: null },
    ...{ jobDeadlineSeconds: null, disabledAt: null, disabledReason: null },
    ...{ createdAt: at, updatedAt: at, version: 1 },
  }
}

/** The time first, so that ids are in order of creation; letters and digits only, because a full stop separates what is signed. */
const newId = (at: number) => `dst_${at.toString(32).padStart(9, '0')}${randomBytes(10).toString('hex')}`

/** Each queue has connections and workers in every process, so there cannot be many. */
function checkQueue(lanes: Pick<Lanes, 'all' | 'open'>, name: string, { mayOpenQueues }: ServiceOptions) {
  const known = lanes.all()
  if (known.some((lane) => lane.name === name)) return
  if (!mayOpenQueues)
    throw new GanchoError('QUEUE_NOT_FOUND', `There is no queue ${name}; an administrator can name new ones.`)
  if (known.length >= maxQueues) throw new GanchoError('TOO_MANY_QUEUES')
}
