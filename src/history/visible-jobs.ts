import { GanchoError } from '../errors.ts'
import { type JobStatus, parseJobId } from '../events/job.ts'
import type { Principal } from '../tenants/principal.ts'
import type { JobsFilter } from './history-store.ts'
import { searchWords } from './search-words.ts'

/** A filter as callers give it, over GraphQL or REST. */
export type GivenFilter = {
  ids?: readonly string[] | null | undefined
  cnpj?: string | null | undefined
  queue?: string | null | undefined
  destination?: string | null | undefined
  statuses?: readonly JobStatus[] | null | undefined
  eventType?: string | null | undefined
  receivedFrom?: Date | null | undefined
  receivedTo?: Date | null | undefined
  text?: string | null | undefined
}

const maxFilterIds = 1_000
const maxTextLength = 200
const maxWords = 10

/** The number in a public id; undefined for a text that is none. */
export function jobNumber(id: string): number | undefined {
  try {
    return parseJobId(id)
  } catch {
    return undefined
  }
}

/** Whether this principal may see what belongs to the tenant with this CNPJ. */
export const maySee = (principal: Principal, cnpj: string) =>
  principal.kind === 'admin' || principal.tenant.cnpj === cnpj

/**
 * What was asked for, within what the principal may see: other tenants' jobs are filtered out like jobs that do not exist. A text of
 * spaces asks for nothing.
 * @throws GanchoError BAD_REQUEST for more ids or a longer text than is taken
 */
export function visibleJobs(given: GivenFilter | null | undefined, principal: Principal): JobsFilter {
  const { ids, cnpj, queue, destination, statuses, eventType, receivedFrom, receivedTo } = given ?? {}
  const text = given?.text?.trim()
  checkSizes(ids, text)
  if (cnpj != null && !maySee(principal, cnpj)) return { ns: [] }
  const owner = principal.kind === 'tenant' ? principal.tenant.cnpj : cnpj
  return withoutNulls({
    ns: ids?.flatMap((id) => jobNumber(id) ?? []),
    cnpj: owner,
    queue,
    destination,
    statuses,
    eventType,
    receivedFrom: receivedFrom?.getTime(),
    receivedTo: receivedTo?.getTime(),
    text: text || null,
  })
}

type Nullable<T> = { [Name in keyof T]: T[Name] | null | undefined }

const withoutNulls = (filter: Nullable<JobsFilter>) =>
  Object.fromEntries(Object.entries(filter).filter(([, value]) => value != null)) as JobsFilter

function checkSizes(ids: readonly string[] | null | undefined, text: string | undefined): void {
  if (ids && ids.length > maxFilterIds)
    throw new GanchoError('BAD_REQUEST', `ids takes at most ${maxFilterIds}.`)
  if (!text) return
  if (text.length > maxTextLength || searchWords(text).length > maxWords)
    throw new GanchoError(
      'BAD_REQUEST',
      `text has ${maxTextLength} characters and ${maxWords} words at most.`,
    )
}
