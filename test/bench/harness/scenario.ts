/** What one measurement gave, by the names of the scenario's figures. */
export type Sample = Readonly<Record<string, number>>

/** One of those who do the same work. */
export type Contestant = {
  name: string
  /** What Gancho is compared with: what people would write instead, or what the machine can do at most. */
  baseline: boolean
  measure(): Promise<Sample>
  close(): Promise<void>
}

export type Figure = { name: string; title: string; digits: number }

/** Median of a contestant's figure over all rounds. */
export type MedianOf = (contestant: string, figure: string) => number

/** A ratio of medians from the same run, and what it should be. */
export type Goal = { title: string; ratio: (median: MedianOf) => number } & (
  | { atMost: number }
  | { atLeast: number }
)

export type ScenarioOptions = {
  /** How long one measurement posts, where that is a matter of time. */
  seconds: number
  /** Further environment of the Gancho processes under measurement, which are to be stopped and not killed: they may write profiles. */
  profiled: Record<string, string>
  /** Checkouts of Gancho that are measured beside each other: this one, whose name is empty, and perhaps another. */
  checkouts: readonly Checkout[]
}
export type Checkout = { name: string; url: URL }

export type Scenario = {
  /** As it is asked for on the command line. */
  name: string
  title: string
  figures: readonly Figure[]
  goals: readonly Goal[]
  /** Starts everyone; each stays until the scenario is over, so that rounds can alternate. */
  open(options: ScenarioOptions): Promise<Contestant[]>
}
