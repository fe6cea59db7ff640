import { randomBytes } from 'node:crypto'
import { GanchoError } from '../../errors.ts'
import { changingAndTelling } from '../changing.ts'
import { parseCnpj } from '../cnpj.ts'
import type { TenantInvalidation } from '../invalidation.ts'
import type { TokenCipher } from '../token-cipher.ts'
import { type SchemeName, schemes } from './schemes.ts'
import type { Source, StoredSource } from './source.ts'
import type { SourceDirectory } from './source-directory.ts'
import type { SourceStore } from './source-store.ts'

type Deps = {
  store: SourceStore
  directory: Pick<SourceDirectory, 'invalidate'>
  invalidation: Pick<TenantInvalidation, 'publish'>
  cipher: Pick<TokenCipher, 'encrypt'>
  /** Epoch milliseconds. */
  now?: () => number
}

export type NewSource = {
  name: string
  scheme: SchemeName
  secrets: readonly string[]
  options: Readonly<Record<string, unknown>>
}

/** Every method may throw GanchoError DATABASE_UNAVAILABLE. */
export type SourceService = {
  /** @throws GanchoError TENANT_NOT_FOUND, INVALID_CNPJ, BAD_REQUEST */
  createSource(cnpj: string, input: NewSource): Promise<Source>
  /** In place of those of before, for a rotation first the old ones and the new one. @throws GanchoError SOURCE_NOT_FOUND, BAD_REQUEST */
  setSourceSecrets(id: string, secrets: readonly string[]): Promise<Source>
  /** @returns its id. @throws GanchoError SOURCE_NOT_FOUND */
  deleteSource(id: string): Promise<string>
  /** Of these tenants, oldest first, 100 of each at most. */
  sourcesOf(cnpjs: readonly string[]): Promise<Source[]>
}

const maxSecrets = 5

/** What administrators do to sources. When a change is answered, this instance knows it, and the others have been told. */
export function sourceService(deps: Deps): SourceService {
  const { store, cipher, now = Date.now } = deps
  const changing = changingAndTelling(deps)

  async function existing(id: string): Promise<StoredSource> {
    const source = await store.byId(id)
    if (!source) throw new GanchoError('SOURCE_NOT_FOUND')
    return source
  }
  const seal = (scheme: SchemeName, secrets: readonly string[]) =>
    cipher.encrypt(JSON.stringify(checkedSecrets(scheme, secrets)))

  return {
    async createSource(cnpj, { name, scheme, secrets, options }) {
      const source: StoredSource = {
        id: `src_${randomBytes(24).toString('base64url')}`,
        cnpj: parseCnpj(cnpj),
        name: checkedName(name),
        scheme,
        options: schemes[scheme].readOptions(options),
        secrets: seal(scheme, secrets),
        createdAt: now(),
        lastUsedAt: null,
      }
      await changing(source.cnpj, () => store.create(source))
      return shownOf(source)
    },
    async setSourceSecrets(id, secrets) {
      const source = await existing(id)
      const sealed = seal(source.scheme, secrets)
      if (!(await changing(source.cnpj, () => store.setSecrets(id, sealed))))
        throw new GanchoError('SOURCE_NOT_FOUND')
      return shownOf(source)
    },
    async deleteSource(id) {
      const { cnpj } = await existing(id)
      if (!(await changing(cnpj, () => store.remove(id)))) throw new GanchoError('SOURCE_NOT_FOUND')
      return id
    },
    sourcesOf: async (cnpjs) => (await store.ofTenants(cnpjs.map(parseCnpj))).map(shownOf),
  }
}

const shownOf = ({ secrets: _secrets, ...source }: StoredSource): Source => source

function checkedSecrets(scheme: SchemeName, secrets: readonly string[]): readonly string[] {
  if (secrets.length < 1 || secrets.length > maxSecrets)
    throw new GanchoError('BAD_REQUEST', `A source has 1 to ${maxSecrets} secrets.`)
  if (!secrets.every(schemes[scheme].isSecret))
    throw new GanchoError(
      'BAD_REQUEST',
      `One of the secrets does not have the form that ${scheme} gives them.`,
    )
  return secrets
}

function checkedName(name: string): string {
  const trimmed = name.trim()
  if (trimmed.length < 1 || trimmed.length > 200)
    throw new GanchoError('BAD_REQUEST', 'A name has 1 to 200 characters.')
  return trimmed
}
