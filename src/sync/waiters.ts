/** How a wait ended. `deadline`: nothing came; `released`: nobody waits any more. */
export type Ended<Outcome> =
  | { kind: 'settled'; outcome: Outcome }
  | { kind: 'deadline' | 'released' | 'stopping' }

/** Callers of this process who wait for a reply, by its id; several may wait for one. */
export type Waiters<Outcome> = {
  /** `signal`: the caller is gone. */
  wait(id: string, timeoutMs: number, signal?: AbortSignal): Promise<Ended<Outcome>>
  settle(id: string, outcome: Outcome): void
  has(id: string): boolean
  ids(): string[]
  /** Callers, not ids. */
  count(): number
  /** Ends every wait as `stopping`. */
  stop(): void
}

type Waiter<Outcome> = { id: string; tick: number; end: (ended: Ended<Outcome>) => void }

/** Deadlines are kept to this precision. */
const tickMs = 20

/** A caller costs an entry in two maps; one timer serves all of them, and runs while there are any (a timing wheel without rounds). */
export function createWaiters<Outcome>(now: () => number = performance.now.bind(performance)) {
  const byId = new Map<string, Set<Waiter<Outcome>>>()
  const byTick = new Map<number, Set<Waiter<Outcome>>>()
  let timer: NodeJS.Timeout | undefined
  let done = 0
  let count = 0

  const tickOf = (ms: number) => Math.floor(ms / tickMs)
  const turn = () => {
    const last = tickOf(now())
    for (; done < last; done += 1) {
      for (const waiter of byTick.get(done + 1) ?? []) waiter.end({ kind: 'deadline' })
    }
  }
  const start = () => {
    done = tickOf(now())
    timer = setInterval(turn, tickMs)
  }
  const remove = (waiter: Waiter<Outcome>) => {
    drop(byId, waiter.id, waiter)
    drop(byTick, waiter.tick, waiter)
    count -= 1
    if (count > 0) return
    clearInterval(timer)
    timer = undefined
  }
  const add = (id: string, timeoutMs: number, end: (ended: Ended<Outcome>) => void) => {
    if (!timer) start()
    // The next whole tick: never early, and never one that is over.
    const waiter = { id, tick: Math.max(tickOf(now() + timeoutMs), done) + 1, end }
    put(byId, id, waiter)
    put(byTick, waiter.tick, waiter)
    count += 1
    return waiter
  }
  const endAll = (waiters: Iterable<Waiter<Outcome>>, ended: Ended<Outcome>) => {
    for (const waiter of [...waiters]) waiter.end(ended)
  }

  const waiters: Waiters<Outcome> = {
    wait: (id, timeoutMs, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve({ kind: 'released' })
        const end = (ended: Ended<Outcome>) => {
          signal?.removeEventListener('abort', release)
          remove(waiter)
          resolve(ended)
        }
        const release = () => end({ kind: 'released' })
        const waiter = add(id, timeoutMs, end)
        signal?.addEventListener('abort', release, { once: true })
      }),
    settle: (id, outcome) => endAll(byId.get(id) ?? [], { kind: 'settled', outcome }),
    has: (id) => byId.has(id),
    ids: () => [...byId.keys()],
    count: () => count,
    stop() {
      for (const one of [...byId.values()]) endAll(one, { kind: 'stopping' })
    },
  }
  return waiters
}

function put<Key, Value>(map: Map<Key, Set<Value>>, key: Key, value: Value): void {
  const set = map.get(key) ?? new Set()
  map.set(key, set.add(value))
}

function drop<Key, Value>(map: Map<Key, Set<Value>>, key: Key, value: Value): void {
  const set = map.get(key)
  if (set?.delete(value) && set.size === 0) map.delete(key)
}
