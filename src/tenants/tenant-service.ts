import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { GanchoError } from '../errors.ts'
import { changingAndTelling } from './changing.ts'
import { parseCnpj } from './cnpj.ts'
import type { TenantDirectory } from './directory.ts'
import type { TenantInvalidation } from './invalidation.ts'
import type { Tenant, TenantToken } from './tenant.ts'
import { changedSettings, type TenantSettingsChange } from './tenant-settings.ts'
import type { StoredToken, TenantStore, TenantsPage, VersionedSettings } from './tenant-store.ts'
import { newTenantToken, prefixOf, type TokenHash } from './token.ts'
import type { TokenCipher } from './token-cipher.ts'

export type TenantServiceDeps = {
  store: TenantStore
  directory: Pick<TenantDirectory, 'invalidate'>
  invalidation: Pick<TenantInvalidation, 'publish'>
  cipher: TokenCipher
  hashToken: TokenHash
  /** Epoch milliseconds. */
  now?: () => number
}

export type NewTenant = { cnpj: string; name: string; active?: boolean | undefined }
/** `token` is in the clear and stored nowhere: this is the one time it is known. */
export type CreatedTenant = { tenant: Tenant; token: string; encryptedToken: string }
/** What is left out, or null, stays. */
export type TenantUpdate = {
  name?: string | null | undefined
  active?: boolean | null | undefined
  settings?: TenantSettingsChange
}
export type Rotation = {
  /** How long the tokens of before are honoured on; 0 unless given. */
  overlapSeconds?: number | undefined
  /** What the new token is called. */
  name?: string | undefined
}

/** CNPJs are taken with or without punctuation. Every method may throw GanchoError INVALID_CNPJ or DATABASE_UNAVAILABLE. */
export type TenantService = {
  /** @throws GanchoError TENANT_EXISTS, BAD_REQUEST when the name is empty or longer than 200 characters */
  createTenant(input: NewTenant): Promise<CreatedTenant>
  /**
   * Changes that others make in the same moment stay, unless they are of the same setting.
   * @throws GanchoError TENANT_NOT_FOUND, BAD_REQUEST, TENANT_CHANGED when others do so again and again
   */
  updateTenant(cnpj: string, change: TenantUpdate): Promise<Tenant>
  /** @throws GanchoError TENANT_NOT_FOUND */
  setTenantActive(cnpj: string, active: boolean): Promise<Tenant>
  /**
   * A new token in place of all others, which end after the overlap, or earlier if they were to.
   * @throws GanchoError TENANT_NOT_FOUND, BAD_REQUEST for an overlap beyond 0 to 30 days
   */
  rotateToken(cnpj: string, rotation?: Rotation): Promise<CreatedTenant>
  /** Ends a token at once. @throws GanchoError TOKEN_NOT_FOUND */
  revokeToken(cnpj: string, id: string): Promise<Tenant>
  /** Of these tenants, ended ones too, newest first, 100 of each at most. */
  tokensOf(cnpjs: readonly string[]): Promise<TenantToken[]>
  /** The tenant's history stays until it expires. @returns the CNPJ. @throws GanchoError TENANT_NOT_FOUND */
  removeTenant(cnpj: string): Promise<string>
  /** From the store, so that it shows the last change. */
  findTenant(cnpj: string): Promise<Tenant | null>
  listTenants(page: TenantsPage): Promise<Tenant[]>
}

const maxOverlapSeconds = 30 * 86_400

/** What administrators do to tenants. When a change is answered, this instance knows it, and the others have been told. */
export function tenantService(deps: TenantServiceDeps): TenantService {
  const { store, now = Date.now } = deps
  const changing = changingAndTelling(deps)

  async function update(cnpj: string, { name, active, settings }: TenantUpdate): Promise<Tenant> {
    const normal = parseCnpj(cnpj)
    const change = {
      ...(name == null ? {} : { name: checkedName(name) }),
      ...(active == null ? {} : { active }),
    }
    const write = async () =>
      store.update(
        normal,
        settings ? { ...change, settings: await newSettings(store, normal, settings) } : change,
        now(),
      )
    return changing(normal, () => untilUndisturbed(write))
  }

  return {
    async createTenant(input) {
      const tenant = tenantOf(input, now())
      const { token, stored } = newToken(deps, tenant.cnpj, 'first', now())
      await changing(tenant.cnpj, () => store.create(tenant, stored))
      return { tenant, token, encryptedToken: stored.encrypted }
    },
    updateTenant: update,
    setTenantActive: (cnpj, active) => update(cnpj, { active }),
    async rotateToken(cnpj, { overlapSeconds = 0, name = 'rotated' } = {}) {
      const normal = parseCnpj(cnpj)
      if (!(overlapSeconds >= 0 && overlapSeconds <= maxOverlapSeconds))
        throw new GanchoError('BAD_REQUEST', `overlapSeconds must be from 0 to ${maxOverlapSeconds}.`)
      const at = now()
      // Read before: nothing may stand between the end of the old token and the answer with the new one.
      const tenant = await existing(store, normal)
      const { token, stored } = newToken(deps, normal, checkedName(name), at)
      await changing(normal, () => store.addToken(stored, at + overlapSeconds * 1_000))
      return { tenant, token, encryptedToken: stored.encrypted }
    },
    async revokeToken(cnpj, id) {
      const normal = parseCnpj(cnpj)
      const revoked = await changing(normal, () => store.revokeToken(normal, id, now()))
      if (!revoked) throw new GanchoError('TOKEN_NOT_FOUND')
      return existing(store, normal)
    },
    async tokensOf(cnpjs) {
      return (await store.tokens(cnpjs.map(parseCnpj))).map(shownOf)
    },
    async removeTenant(cnpj) {
      const normal = parseCnpj(cnpj)
      if (!(await changing(normal, () => store.remove(normal)))) throw new GanchoError('TENANT_NOT_FOUND')
      return normal
    },
    findTenant: async (cnpj) => store.byCnpj(parseCnpj(cnpj)),
    listTenants: (page) => store.list(page),
  }
}

const maxTries = 10
/** Longest pause after the first try, doubled with each further one up to the other. */
const firstPauseMs = 10
const longestPauseMs = 320

/** Repeats a change that others came in between with, each at a moment of its own so that they do not meet again. */
async function untilUndisturbed(write: () => Promise<Tenant>): Promise<Tenant> {
  for (let tries = 1; ; tries++) {
    try {
      return await write()
    } catch (error) {
      const disturbed = error instanceof GanchoError && error.code === 'TENANT_CHANGED'
      if (!disturbed || tries === maxTries) throw error
      await sleep(Math.random() * Math.min(longestPauseMs, firstPauseMs * 2 ** tries))
    }
  }
}

async function newSettings(
  store: TenantStore,
  cnpj: string,
  change: TenantSettingsChange,
): Promise<VersionedSettings> {
  const current = await store.settings(cnpj)
  if (!current) throw new GanchoError('TENANT_NOT_FOUND')
  return { settings: changedSettings(current.settings, change), version: current.version }
}

type Sealing = Pick<TenantServiceDeps, 'cipher' | 'hashToken'>

function newToken({ cipher, hashToken }: Sealing, cnpj: string, name: string, createdAt: number) {
  const token = newTenantToken()
  const stored: StoredToken = {
    ...{ id: randomUUID(), cnpj, name, createdAt },
    prefix: prefixOf(token),
    hash: hashToken(token),
    encrypted: cipher.encrypt(token),
    ...{ expiresAt: null, lastUsedAt: null, revokedAt: null },
  }
  return { token, stored }
}

async function existing(store: TenantStore, cnpj: string): Promise<Tenant> {
  const tenant = await store.byCnpj(cnpj)
  if (!tenant) throw new GanchoError('TENANT_NOT_FOUND')
  return tenant
}

function tenantOf({ cnpj, name, active = true }: NewTenant, now: number): Tenant {
  const normal = parseCnpj(cnpj)
  return { cnpj: normal, name: checkedName(name), active, settings: {}, createdAt: now, updatedAt: now }
}

function checkedName(name: string): string {
  const trimmed = name.trim()
  if (trimmed.length < 1 || trimmed.length > 200)
    throw new GanchoError('BAD_REQUEST', 'A name has 1 to 200 characters.')
  return trimmed
}

const shownOf = ({ hash: _hash, encrypted: _encrypted, ...token }: StoredToken): TenantToken => token
