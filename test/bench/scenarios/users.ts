import { fanOut, fanOutFigures, fanOutNames } from '../harness/fan-out.ts'
import type { Scenario } from '../harness/scenario.ts'

const each = 5_000
const processes = 2

export const users: Scenario = {
  name: 'users',
  title: `Users: ${processes * each} event streams of one tenant over ${processes} processes`,
  figures: fanOutFigures,
  goals: [
    {
      title: 'subscribers that were served',
      ratio: (median) => median(fanOutNames.gancho, 'served'),
      atLeast: processes * each,
    },
  ],
  open: (options) => fanOut({ processes, each }, options),
}
