import { parser } from '@prometheus-io/lezer-promql'

/** What a query asks for: each metric, and the labels that it matches, groups by or joins on. */
export type ReadQuery = { metrics: string[]; labels: string[] }

/** Reads PromQL with Prometheus' own grammar. @throws Error where it is not understood */
export function readQuery(query: string): ReadQuery {
  const metrics = new Set<string>()
  const labels = new Set<string>()
  parser.parse(query).iterate({
    enter({ type, from, to, node }) {
      const text = query.slice(from, to)
      if (type.isError) throw new Error(`not PromQL at ${from}: ${query}`)
      if (type.name === 'Identifier' && node.parent?.name === 'VectorSelector') metrics.add(text)
      if (type.name === 'LabelName') labels.add(text)
    },
  })
  return { metrics: [...metrics], labels: [...labels] }
}
