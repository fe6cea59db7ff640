import type { Config } from '../config.ts'
import {
  defaultCallbackHeader,
  defaultUpstream,
  type UpstreamSettings,
} from '../sync/upstream/upstream-settings.ts'

/** The upstreams of the environment: the default one, where it is named, before those of the file. */
export function upstreamSettings(config: Config): UpstreamSettings[] {
  const { DOMAIN, APIKEY, UPSTREAMS_FILE } = config
  if (DOMAIN === undefined || APIKEY === undefined) return UPSTREAMS_FILE
  const named: UpstreamSettings = {
    name: defaultUpstream,
    origin: DOMAIN,
    apiKey: APIKEY,
    tokenPath: config.UPSTREAM_TOKEN_PATH,
    requestPath: config.UPSTREAM_REQUEST_PATH,
    idPointer: config.UPSTREAM_ID_POINTER,
    replyIdPointer: config.UPSTREAM_ID_POINTER,
    errorPointer: config.UPSTREAM_ERROR_POINTER,
    timeoutMs: config.TIMEOUT,
    deliverReplies: true,
    callbackHeader: defaultCallbackHeader,
    tenants: undefined,
  }
  return [named, ...UPSTREAMS_FILE]
}
