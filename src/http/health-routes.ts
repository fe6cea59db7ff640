import { checkHealth, type HealthChecks } from './health.ts'
import type { OpenRoute } from './router.ts'

/** `/health/live`: the process turns; `/health/ready`: it can do its work, and is not stopping. */
export function healthRoutes(
  checks: HealthChecks,
  facts: () => Record<string, unknown>,
  isStopping: () => boolean,
): OpenRoute[] {
  return [
    { path: '/health/live', handle: () => ({ status: 200, body: { status: 'live' } }) },
    {
      path: '/health/ready',
      async handle() {
        if (isStopping()) return { status: 503, body: { status: 'stopping' } }
        const { ready, checks: states } = await checkHealth(checks)
        return {
          status: ready ? 200 : 503,
          body: { status: ready ? 'ready' : 'not ready', checks: states, ...facts() },
        }
      },
    },
  ]
}
