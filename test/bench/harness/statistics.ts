type Values = readonly number[] | Float64Array

/** The value that half of them do not exceed, the mean of the two in the middle where there is no single one. */
export function median(values: Values): number {
  return (quantile(values, 0.5, Math.floor) + quantile(values, 0.5, Math.ceil)) / 2
}

/** The smallest value that this share of them does not exceed. */
export function percentile(values: Values, share: number): number {
  return quantile(values, share, Math.ceil)
}

function quantile(values: Values, share: number, round: (at: number) => number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const value = sorted[round((sorted.length - 1) * share)]
  if (value === undefined) throw new Error('nothing was measured')
  return value
}

/** Milliseconds that the work takes, done so often, one after the other. */
export async function medianMs(repeats: number, work: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let turn = 0; turn < repeats; turn += 1) {
    const since = performance.now()
    await work()
    times.push(performance.now() - since)
  }
  return median(times)
}
