import { seededRandom } from './random.ts'

export type ReplyPlan = {
  /** Calls that wait at the same time. */
  calls: number
  /** What becomes of the second gateway when half of the replies are in. */
  loss: 'none' | 'killed' | 'stopped'
  /** How many of a hundred are answered after the deadline. */
  latePercent: number
  /** Decides what happens when. */
  seed: number
  /** The upstream's deadline, beyond which the slowest of a busy machine's calls are not to come. */
  timeoutMs: number
}

/** What becomes of one call. Gateways are 0 and 1. */
export type Fate = {
  /** Its number, which its reply carries. */
  mark: number
  /** `early`: before the upstream's own answer; `double`: once more after the first; `late`: once its caller waits no longer. */
  timing: 'usual' | 'early' | 'double' | 'late'
  /** From the moment at which every call has come to the upstream, and of late ones the deadline is over. */
  delayMs: number
  /** Not replied to before the second gateway is lost. */
  outlastsLoss: boolean
  /** By what the reply is matched. */
  way: 'url' | 'header' | 'pointer'
  edge: 'graphql' | 'rest'
  calledAt: number
  answeredAt: number
  tenant: number
  /** Tenants share them: the same id means another call with each. */
  externalId: string
}

export const cnpjs = ['11222333000181', '11444777000161', '45723174000110', '33000167000101']
const mostDelayMs = 500
/** What a caller whose reply is late asks for. */
export const lateTimeoutMs = 1_000

/** The same for the same plan. */
export function fatesOf({ calls, latePercent, seed, loss }: ReplyPlan): Fate[] {
  const random = seededRandom(seed)
  const oneOf = <One>(all: readonly One[]) => all[Math.floor(random() * all.length)] as One
  return Array.from({ length: calls }, (_, mark) => {
    const timing = timingOf(random() * 100, latePercent)
    return {
      ...{ mark, timing, delayMs: random() * mostDelayMs },
      ...{ outlastsLoss: loss !== 'none' && timing !== 'early' && random() < 0.25 },
      ...{ way: oneOf(['url', 'header', 'pointer']), edge: edgeOf(timing, oneOf) },
      ...{ calledAt: oneOf([0, 1]), answeredAt: oneOf([0, 1]) },
      ...{ tenant: mark % cnpjs.length, externalId: `QR-${Math.floor(mark / cnpjs.length)}` },
    }
  })
}

/** Over REST nobody asks for a deadline of its own. */
function edgeOf(timing: Fate['timing'], oneOf: <One>(all: readonly One[]) => One): Fate['edge'] {
  return timing === 'late' ? 'graphql' : oneOf(['graphql', 'rest'])
}

function timingOf(percent: number, latePercent: number): Fate['timing'] {
  if (percent < 5) return 'early'
  if (percent < 10) return 'double'
  return percent < 10 + latePercent ? 'late' : 'usual'
}
