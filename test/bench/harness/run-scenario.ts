import type { Contestant, Goal, MedianOf, Sample, Scenario, ScenarioOptions } from './scenario.ts'
import { median } from './statistics.ts'

export type Spread = { median: number; min: number; max: number }
export type ContestantResult = {
  name: string
  baseline: boolean
  samples: Sample[]
  figures: Record<string, Spread>
}
export type GoalResult = { title: string; ratio: number; limit: string; met: boolean }
export type ScenarioResult = {
  name: string
  title: string
  rounds: number
  contestants: ContestantResult[]
  goals: GoalResult[]
}

type Options = ScenarioOptions & { rounds: number; say: (line: string) => void }

/**
 * Measures everyone once without counting it, then `rounds` times, each round beginning with another one: what the machine does
 * beside falls on all of them alike.
 */
export async function runScenario(scenario: Scenario, options: Options): Promise<ScenarioResult> {
  const { rounds, say } = options
  const contestants = await scenario.open(options)
  try {
    const samples = new Map(contestants.map((one): [Contestant, Sample[]] => [one, []]))
    for (const one of contestants) await one.measure()
    for (let round = 0; round < rounds; round += 1) {
      say(`${scenario.name}: round ${round + 1} of ${rounds}`)
      for (const one of rotated(contestants, round)) samples.get(one)?.push(await one.measure())
    }
    const results = contestants.map((one) => resultOf(one, scenario, samples.get(one) ?? []))
    const medianOf: MedianOf = (name, figure) => {
      const spread = results.find((one) => one.name === name)?.figures[figure]
      if (!spread) throw new Error(`${scenario.name} has no ${figure} of ${name}`)
      return spread.median
    }
    const goals = scenario.goals.map((goal) => judge(goal, medianOf))
    return { name: scenario.name, title: scenario.title, rounds, contestants: results, goals }
  } finally {
    for (const one of contestants.reverse()) await one.close()
  }
}

function rotated<Item>(items: readonly Item[], by: number): Item[] {
  const at = by % items.length
  return [...items.slice(at), ...items.slice(0, at)]
}

function resultOf(
  { name, baseline }: Contestant,
  { figures }: Scenario,
  samples: Sample[],
): ContestantResult {
  const spreads = figures.map((figure): [string, Spread] => {
    const values = samples.map((sample) => sample[figure.name] ?? Number.NaN)
    return [figure.name, { median: median(values), min: Math.min(...values), max: Math.max(...values) }]
  })
  return { name, baseline, samples, figures: Object.fromEntries(spreads) }
}

function judge(goal: Goal, medianOf: MedianOf): GoalResult {
  const ratio = goal.ratio(medianOf)
  const { title } = goal
  if ('atMost' in goal) return { title, ratio, limit: `at most ${goal.atMost}`, met: ratio <= goal.atMost }
  return { title, ratio, limit: `at least ${goal.atLeast}`, met: ratio >= goal.atLeast }
}
