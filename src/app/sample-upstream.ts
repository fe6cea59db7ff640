import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import { type SampleUpstream, startSampleUpstream } from '../welcome/sample-upstream.ts'
import type { Foundation } from './foundation.ts'

/** How long after the deadline a callback comes that is to be late. */
const lateByMs = 3_000

/** An upstream to try things out with, where none is named and this is a developer's machine. */
export async function openSampleUpstream(
  { ROLE, DOMAIN, UPSTREAMS_FILE, TIMEOUT }: Config,
  { embedded }: Foundation,
  log: Logger,
): Promise<SampleUpstream | undefined> {
  if (!embedded || ROLE === 'worker' || DOMAIN !== undefined || UPSTREAMS_FILE.length > 0) return undefined
  return startSampleUpstream({ log, lateMs: TIMEOUT + lateByMs })
}

/** The configuration of a process that calls `sample`, as its environment would give it. */
export function withSampleUpstream(config: Config, sample: SampleUpstream | undefined): Config {
  return sample ? { ...config, ...sampleUpstreamVariables(sample) } : config
}

/** By which another process calls the same one. */
export function sampleUpstreamVariables(sample: SampleUpstream) {
  return {
    DOMAIN: sample.origin,
    APIKEY: sample.apiKey,
    UPSTREAM_ERROR_POINTER: sample.errorPointer,
    // What the sample has, whatever the environment says of a real one.
    UPSTREAM_TOKEN_PATH: '/auth/token',
    UPSTREAM_REQUEST_PATH: '/qrcodes',
    UPSTREAM_ID_POINTER: '/id',
  }
}
