import { z } from 'zod'
import { GanchoError } from '../errors.ts'

const record = z.record(z.string(), z.unknown()).nullish()
const form = z.object({
  query: z.string().nullish(),
  operationName: z.string().nullish(),
  variables: record,
  extensions: record,
})

/** What a client sent: a document, something that stands for it, or both. */
export type GivenParams = z.output<typeof form>

/** @throws GanchoError BAD_REQUEST for what is not of this form */
export function checkedParams(params: unknown): GivenParams {
  const parsed = form.safeParse(params)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  throw new GanchoError('BAD_REQUEST', `${problems.join('; ')}.`)
}
