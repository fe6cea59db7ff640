import type { Command } from 'commander'
import { checkDataDir } from '../doctor/check-data-dir.ts'
import { checkDatabase } from '../doctor/check-database.ts'
import { checkDestination } from '../doctor/check-destination.ts'
import { checkGancho } from '../doctor/check-gancho.ts'
import { checkRedis } from '../doctor/check-redis.ts'
import type { Finding } from '../doctor/finding.ts'
import { checkSettings, doctorSettings } from '../doctor/settings.ts'
import { exitCodes } from '../failure.ts'
import { type Output, printable, type Style } from '../output.ts'
import type { Act, Session } from '../session.ts'

const styles: Readonly<Record<Finding['status'], Style>> = { ok: 'green', warn: 'yellow', fail: 'red' }

export function addDoctor(program: Command, act: Act): void {
  const command = program
    .command('doctor')
    .summary('look at what Gancho needs, and say what to do')
    .description(
      'Looks at what Gancho needs, as the environment of this shell and .env name it: Redis, database, destination, disk, ' +
        'secrets, and whether a Gancho answers. Changes nothing. Ends with 1 when something has to be mended.',
    )
  act(command, doctor)
}

async function doctor({ env, envWarnings, access, output, json }: Session): Promise<number> {
  const settings = doctorSettings(env)
  const found = await Promise.all([
    checkSettings(env, envWarnings),
    checkRedis(settings),
    checkDatabase(settings),
    checkDestination(settings),
    checkDataDir(settings),
    checkGancho(access.url),
  ])
  const findings = found.flat()
  const failed = findings.filter(({ status }) => status === 'fail').length
  if (json) output.json({ ok: failed === 0, findings })
  else for (const finding of findings) for (const line of textOf(finding, output)) output.line(line)
  return failed > 0 ? exitCodes.failed : exitCodes.ok
}

function textOf({ status, name, message, advice }: Finding, { style }: Output): string[] {
  const heading = `${style(styles[status], status.padEnd(4))}  ${name.padEnd(18)} ${printable(message)}`
  return advice === undefined ? [heading] : [heading, `${' '.repeat(25)}→ ${advice}`]
}
