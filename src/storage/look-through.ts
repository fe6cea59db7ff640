/** One look at a bounded number of candidates: what fits, and how far the look came when there are more of them. */
export type Look<Found> = { found: Found; size: number; reached: number | null }

/** Candidates of a look: few at first, because most pages are full soon. */
export type Candidates = { first: number; most: number }
const growth = 4

type Where = { limit: number; after?: number; before?: number; fromEnd?: boolean }

/** The same range beyond a number that was reached. */
const beyond = <Page extends Where>(page: Page, reached: number | null): Page =>
  reached === null ? page : { ...page, [page.fromEnd ? 'before' : 'after']: reached }

/**
 * Looks again and again, each time further, until there is enough, no more to look at, or no time. `reached` is null unless time was
 * short. Others are answered between two looks.
 */
export async function lookThrough<Found>(
  look: (page: Where, candidates: number) => Promise<Look<Found>>,
  page: Where,
  { first, most }: Candidates,
  withinMs: number,
): Promise<{ found: Found[]; size: number; reached: number | null }> {
  const until = performance.now() + withinMs
  const found: Found[] = []
  let size = 0
  let candidates = first
  for (let reached: number | null = null; ; ) {
    const one: Look<Found> = await look({ ...beyond(page, reached), limit: page.limit - size }, candidates)
    candidates = Math.min(most, candidates * growth)
    found.push(one.found)
    size += one.size
    reached = one.reached
    if (size >= page.limit || reached === null) return { found, size, reached: null }
    if (performance.now() > until) return { found, size, reached }
  }
}
