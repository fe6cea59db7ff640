import { fanOut, fanOutFigures, fanOutNames } from '../harness/fan-out.ts'
import type { Scenario } from '../harness/scenario.ts'

const each = 5_000

export const liveStream: Scenario = {
  name: 'live-stream',
  title: `Live stream: one change of a job told to ${each} event streams of one process`,
  figures: fanOutFigures,
  goals: [
    {
      title: 'posted to all told ÷ bytes written to bare sockets',
      ratio: (median) => median(fanOutNames.gancho, 'allMs') / median(fanOutNames.bare, 'allMs'),
      atMost: 5,
    },
    {
      title: 'results executed and serialized a change',
      ratio: (median) => median(fanOutNames.gancho, 'made'),
      atMost: 1,
    },
  ],
  open: (options) => fanOut({ processes: 1, each }, options),
}
