import type { UpstreamFailure, UpstreamFailureCode } from './upstream.ts'

/** The message reaches callers: it names no address, and nothing that was sent. */
export function failed(
  code: UpstreamFailureCode,
  message: string,
  { status = null, maybeSent }: { status?: number | null; maybeSent: boolean },
): UpstreamFailure {
  return { kind: 'failed', code, status, message, maybeSent }
}
