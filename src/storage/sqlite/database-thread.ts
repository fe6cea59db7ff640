import { Worker } from 'node:worker_threads'
import { GanchoError } from '../../errors.ts'
import { errorOfFailure } from './sqlite-error.ts'
import type { ThreadAnswer, ThreadData, ThreadQuestion, ThreadRequest } from './thread-protocol.ts'

export type ThreadOptions = ThreadData & {
  closeTimeoutMs: number
  /** What the thread runs. */
  entry?: URL
}

type Success = Exclude<ThreadAnswer, { failure: unknown }>
type Waiting = { resolve: (answer: Success) => void; reject: (error: Error) => void }
type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never
export type Question = WithoutId<ThreadQuestion>

const unavailable = (cause: unknown) => new GanchoError('DATABASE_UNAVAILABLE', undefined, { cause })

/** One worker thread with one connection, answering in order. A thread that died is replaced when the next question comes. */
export class DatabaseThread {
  readonly #options: ThreadOptions
  readonly #waiting = new Map<number, Waiting>()
  /** Asked in this turn of the event loop, and not sent yet. */
  #unsent: ThreadQuestion[] = []
  #worker: Worker | undefined
  #lastId = 0
  #closed = false

  constructor(options: ThreadOptions) {
    this.#options = options
  }

  /** @throws ConstraintError, GanchoError DATABASE_UNAVAILABLE, also when closed or when the thread dies. */
  ask(question: Question): Promise<Success> {
    if (this.#closed) return Promise.reject(unavailable(new Error('The database is closed.')))
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      if (this.#unsent.push({ ...question, id }) === 1) setImmediate(() => this.#send())
    })
  }

  #send() {
    const questions = this.#unsent
    if (questions.length === 0) return
    this.#unsent = []
    try {
      this.#worker ??= this.#start()
      this.#worker.postMessage(questions satisfies ThreadRequest)
    } catch (error) {
      for (const { id } of questions) this.#take(id)?.reject(unavailable(error))
    }
  }

  /** Waits for what was asked before, at most `closeTimeoutMs`, then ends the thread anyway. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#send()
    const worker = this.#worker
    if (!worker) return
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    const timer = setTimeout(end, this.#options.closeTimeoutMs)
    worker.once('exit', () => end())
    worker.postMessage('close' satisfies ThreadRequest)
    await ended
    clearTimeout(timer)
    // Not awaited: a call inside SQLite cannot be interrupted from here, and it must not hold up the process.
    void worker.terminate()
    worker.unref()
    this.#rejectAll(new Error('The database was closed.'))
  }

  #start(): Worker {
    const {
      closeTimeoutMs: _,
      entry = new URL('./thread.ts', import.meta.url),
      ...workerData
    } = this.#options
    const name = `sqlite ${workerData.access}`
    const worker = new Worker(entry, { name, workerData: workerData satisfies ThreadData })
    let reason: unknown = new Error('The database thread ended.')
    worker.on('message', (answer: ThreadAnswer) => this.#settle(answer))
    worker.on('error', (error) => {
      reason = error
    })
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = undefined
      this.#rejectAll(reason)
    })
    return worker
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    return waiting
  }

  #settle(answer: ThreadAnswer) {
    const waiting = this.#take(answer.id)
    if ('failure' in answer) waiting?.reject(errorOfFailure(answer.failure))
    else waiting?.resolve(answer)
  }

  #rejectAll(reason: unknown) {
    const all = [...this.#waiting.values()]
    this.#waiting.clear()
    this.#unsent = []
    for (const { reject } of all) reject(unavailable(reason))
  }
}
