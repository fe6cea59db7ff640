import type { Machine } from './machine.ts'
import type { ScenarioResult, Spread } from './run-scenario.ts'
import type { Figure } from './scenario.ts'

export function machineLine({ cpu, cores, memoryGb, system, node, redis }: Machine): string {
  return `${cpu}, ${cores} cores, ${memoryGb} GB, ${system}, Node ${node}, Redis ${redis}`
}

/** A Markdown table of medians, each with the smallest and largest of its rounds, and a line for each goal. */
export function resultText(result: ScenarioResult, figures: readonly Figure[]): string {
  const head = ['', ...figures.map(({ title }) => title)]
  const rows = result.contestants.map(({ name, baseline, figures: spreads }) => [
    baseline ? `${name} (baseline)` : name,
    ...figures.map((figure) => spreadText(spreads[figure.name], figure.digits)),
  ])
  const goals = result.goals.map(
    ({ title, ratio, limit, met }) =>
      `- ${title}: ${ratio.toFixed(2)}, goal ${limit}: ${met ? 'met' : 'missed'}`,
  )
  return [`## ${result.title} (${result.rounds} rounds)`, '', ...table(head, rows), '', ...goals, ''].join(
    '\n',
  )
}

function spreadText(spread: Spread | undefined, digits: number): string {
  if (!spread) return ''
  const [middle, min, max] = [spread.median, spread.min, spread.max].map((value) => value.toFixed(digits))
  return `${middle} (${min} to ${max})`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((cell, at) => Math.max(3, cell.length, ...rows.map((row) => row[at]?.length ?? 0)))
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)]
}
