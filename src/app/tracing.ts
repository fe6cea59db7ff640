import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import type { Tracing } from '../tracing/tracing.ts'
import { processName } from './process-name.ts'
import { handBackMs, within } from './within.ts'

/** Tracing where the environment names a collector; without one its library is not even read. */
export async function openTracing(config: Config, log: Logger): Promise<Tracing | undefined> {
  const endpoint = config.OTEL_EXPORTER_OTLP_ENDPOINT ?? config.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT
  if (endpoint === undefined || config.OTEL_SDK_DISABLED) return undefined
  const { openTelemetry } = await import('../tracing/open-telemetry.ts')
  const tracing = openTelemetry({ instance: processName(), serviceName: config.OTEL_SERVICE_NAME, log })
  // A collector that hangs holds nobody up.
  return { ...tracing, close: () => within(tracing.close(), handBackMs) }
}
