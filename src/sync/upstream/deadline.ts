/** The time that one call has, all its requests together. */
export type Deadline = {
  /** Aborted when the time is over or the caller has gone, and with `stop`. */
  signal: AbortSignal
  isOver(): boolean
  /** Whether it ended so early that this says nothing about the upstream. */
  wasCutShort(): boolean
  remainingMs(): number
  /** Call it when the call is done. */
  stop(): void
}

/** The caller's own deadline is a bit ahead of ours, as it began earlier. */
const wholeShare = 0.9

export function startDeadline(timeoutMs: number, caller?: AbortSignal): Deadline {
  const controller = new AbortController()
  const startedAt = performance.now()
  let endedAt: number | undefined
  const end = () => {
    endedAt ??= performance.now()
    controller.abort()
  }
  const timer = setTimeout(end, timeoutMs)
  caller?.addEventListener('abort', end)
  if (caller?.aborted) end()
  return {
    signal: controller.signal,
    isOver: () => endedAt !== undefined,
    wasCutShort: () => endedAt !== undefined && endedAt - startedAt < timeoutMs * wholeShare,
    remainingMs: () => (endedAt === undefined ? Math.max(0, timeoutMs - (performance.now() - startedAt)) : 0),
    stop() {
      clearTimeout(timer)
      caller?.removeEventListener('abort', end)
    },
  }
}

/** What `promise` gives, or undefined when the deadline is over first. */
export function before<Value>(deadline: Deadline, promise: Promise<Value>): Promise<Value | undefined> {
  const { promise: over, resolve } = Promise.withResolvers<undefined>()
  const end = () => resolve(undefined)
  deadline.signal.addEventListener('abort', end)
  if (deadline.isOver()) end()
  return Promise.race([promise, over]).finally(() => deadline.signal.removeEventListener('abort', end))
}
