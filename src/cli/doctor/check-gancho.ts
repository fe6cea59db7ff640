import { type Finding, fail, ok, reasonOf, warn } from './finding.ts'

const name = 'Gancho'
const timeoutMs = 5_000

type Health = { status?: string; checks?: Record<string, string> }

/** Whether a Gancho serves at that origin, and is ready. */
export async function checkGancho(url: string): Promise<Finding[]> {
  try {
    const response = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(timeoutMs) })
    return [judge(url, (await response.json()) as Health)]
  } catch (error) {
    const { cause } = error as { cause?: unknown }
    const reason = reasonOf(cause ?? error)
    return [warn(name, `none answers at ${url} (${reason})`, 'start it, or say where it is with --url')]
  }
}

function judge(url: string, { status = 'something else', checks = {} }: Health): Finding {
  const away = Object.keys(checks).filter((part) => checks[part] !== 'ok')
  if (status !== 'ready')
    return fail(name, `${url} is ${status}${away.length > 0 ? `: ${away.join(', ')}` : ''}`, 'see its log')
  if (away.length > 0) return warn(name, `${url} is ready, without ${away.join(', ')}`, 'see its log')
  return ok(name, `${url} is ready`)
}
