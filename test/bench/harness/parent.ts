type Question = { id: number; name: string; payload: unknown }

/** What a child of the bench can be asked for. */
export type Handlers = Record<string, (payload: never) => unknown>

/** Answers what the bench asks of this process, which ends with it. Times from it are `monotonicMs`. */
export function serveBench(handlers: Handlers): void {
  process.on('message', async ({ id, name, payload }: Question) => {
    try {
      process.send?.({ id, answer: await handlers[name]?.(payload as never) })
    } catch (error) {
      process.send?.({ id, error: String(error instanceof Error ? error.stack : error) })
    }
  })
  process.on('disconnect', () => process.exit(0))
  process.send?.('ready')
}

/** Milliseconds of a clock that all processes of a machine share (CLOCK_MONOTONIC). */
export const monotonicMs = () => Number(process.hrtime.bigint()) / 1e6
