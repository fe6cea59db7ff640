export type JobEvent = { cursor: string; jobId?: string; status?: string; reason?: string }
export type JobEventResult = {
  data?: { jobEvents: JobEvent } | null | undefined
  errors?: readonly { message: string; extensions?: { code?: unknown } | undefined }[] | undefined
}

export const jobEventsQuery = `subscription ($after: Cursor) { jobEvents(after: $after) {
  ... on JobStatusChanged { cursor jobId status } ... on JobEventsGap { cursor reason } } }`

/** Numbers in the place of texts, the same for the same text: what hundreds of subscribers got fits into memory. */
export type Book = { numberOf(text: string): number; textOf(number: number): string | undefined }

export function openBook(): Book {
  const numbers = new Map<string, number>()
  const texts: string[] = []
  return {
    numberOf(text) {
      const known = numbers.get(text) ?? texts.push(text) - 1
      numbers.set(text, known)
      return known
    },
    textOf: (number) => texts[number],
  }
}

export const textOf = ({ cursor, jobId, status, reason }: JobEvent) =>
  reason ? `gap ${reason}` : `${cursor} ${jobId} ${status}`

/** What one subscriber gets, over all its connections. */
export type Course = {
  got: number[]
  /** Where it goes on. */
  cursor: string
  cuts: number
  connections: number
  /** Why connections ended that it did not cut itself, and why others were refused. */
  troubles: string[]
  /** Takes the next event. True when its connection is to be cut now, and nothing more of it counts. */
  take(event: JobEvent): boolean
}

/** `cutAt`: after how many events it is cut, in ascending order. */
export function openCourse(book: Book, start: string, cutAt: readonly number[]): Course {
  return {
    ...{ got: [], cursor: start, cuts: 0, connections: 0, troubles: [] },
    take(event) {
      this.got.push(book.numberOf(textOf(event)))
      this.cursor = event.cursor
      const due = cutAt[this.cuts]
      if (due === undefined || this.got.length < due) return false
      this.cuts += 1
      return true
    },
  }
}
