import { randomUUID } from 'node:crypto'
import type {
  Upstream,
  UpstreamAnswer,
  UpstreamRequest,
  Upstreams,
} from '../../src/sync/upstream/upstream.ts'

/** Of these, the first being the default one. */
export function upstreamsOf(all: readonly Upstream[]): Upstreams {
  const byName = new Map(all.map((one) => [one.name, one]))
  return { all: () => all, get: (name) => (name === undefined ? all[0] : byName.get(name)) }
}

export type TestUpstream = Upstream & {
  /** Every call so far. */
  calls: UpstreamRequest[]
}

type Options = Partial<Omit<Upstream, 'call'>> & {
  /** Its answer; a new external id unless given. */
  answer?: (request: UpstreamRequest, nth: number) => Promise<UpstreamAnswer> | UpstreamAnswer
}

/** An upstream of the port, whose answers a test decides, without HTTP. */
export function testUpstream({ answer = () => accepted(), ...rest }: Options = {}): TestUpstream {
  const calls: UpstreamRequest[] = []
  return {
    // Longer than any test: what ends a call in one is what the test is about.
    ...{ name: 'default', timeoutMs: 60_000, replyIdPointer: '/id', errorPointer: '/error' },
    ...{ deliverReplies: true, allows: () => true },
    ...rest,
    calls,
    async call(request) {
      calls.push(request)
      return answer(request, calls.length)
    },
  }
}

export const accepted = (externalId: string = randomUUID()): UpstreamAnswer => ({
  kind: 'accepted',
  externalId,
  body: { id: externalId },
})
