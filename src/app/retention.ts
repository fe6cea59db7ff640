import type { Config } from '../config.ts'
import { statSpans } from '../history/job-stats.ts'

const [minuteMs, hourMs] = statSpans
const dayMs = 24 * hourMs
const minutesKeptDays = 2

/** How long what is over is kept. */
export const retentionMs = ({ RETENTION_DAYS }: Config) => RETENTION_DAYS * dayMs

/** How long statistics are kept by the minute: they are sixty times as many as those by the hour. */
export const minutesKeptMs = ({ RETENTION_DAYS }: Config) => Math.min(RETENTION_DAYS, minutesKeptDays) * dayMs

/** The same for each span that statistics are counted by. */
export const statsKept = (config: Config) => [
  { spanMs: minuteMs, keepMs: minutesKeptMs(config) },
  { spanMs: hourMs, keepMs: retentionMs(config) },
]
