import DataLoader from 'dataloader'

/**
 * Asks once for all that is asked for in one turn of the event loop, at most `most` at a time. `ask` answers in the order of the items;
 * an Error among its answers is that item's alone, and when it rejects, all of them do.
 */
export function gather<Item, Answer>(
  most: number,
  ask: (items: readonly Item[]) => Promise<readonly (Answer | Promise<Answer> | Error)[]>,
): (item: Item) => Promise<Answer> {
  const asked = new DataLoader<Item, Answer | Promise<Answer>>(ask, {
    cache: false,
    maxBatchSize: most,
    batchScheduleFn: (send) => setImmediate(send),
  })
  return async (item) => asked.load(item)
}
