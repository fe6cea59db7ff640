type Waiting<Item, Answer> = {
  item: Item
  resolve: (answer: Answer | Promise<Answer>) => void
  reject: (error: unknown) => void
}

/**
 * Asks once for all that is asked for in one turn of the event loop, at most `most` at a time. `ask` answers in the order of the items;
 * an Error among its answers is that item's alone, and when it rejects, all of them do.
 */
export function gather<Item, Answer>(
  most: number,
  ask: (items: readonly Item[]) => Promise<readonly (Answer | Promise<Answer> | Error)[]>,
): (item: Item) => Promise<Answer> {
  let waiting: Waiting<Item, Answer>[] = []

  const flush = async () => {
    const batch = waiting
    waiting = []
    if (batch.length === 0) return
    try {
      const answers = await ask(batch.map(({ item }) => item))
      for (const [i, { resolve, reject }] of batch.entries()) {
        const answer = answers[i]
        if (answer instanceof Error) reject(answer)
        else resolve(answer as Answer | Promise<Answer>)
      }
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }

  return (item) =>
    new Promise((resolve, reject) => {
      if (waiting.length === 0) setImmediate(flush)
      waiting.push({ item, resolve, reject })
      if (waiting.length >= most) void flush()
    })
}
