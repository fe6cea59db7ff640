import { z } from 'zod'

/** What the sample receiver answers: `status` for the next `times` events, or for all when there is no number. */
export type ReceiverSwitch = { status: number; times?: number | null | undefined }

const switchSchema = z.object({
  status: z.coerce.number().int().min(200).max(599),
  times: z.coerce.number().int().min(1).max(1_000_000).nullish(),
})

/** Reads a switch from the query, or else from a JSON body. */
export function readSwitch(
  query: URLSearchParams,
  body: string,
): { ok: true; toggle: ReceiverSwitch } | { ok: false; problem: string } {
  const values = query.size > 0 ? Object.fromEntries(query) : parseJson(body)
  const parsed = switchSchema.safeParse(values)
  if (parsed.success) return { ok: true, toggle: parsed.data }
  return {
    ok: false,
    problem:
      'expected a status from 200 to 599 and, if not for ever, times from 1: /switch?status=500&times=3',
  }
}

/** The status for one event, and the switch afterwards. */
export function statusOf(toggle: ReceiverSwitch): { status: number; next: ReceiverSwitch } {
  const { status, times } = toggle
  if (times === undefined || times === null) return { status, next: toggle }
  return { status, next: times > 1 ? { status, times: times - 1 } : { status: 200 } }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
