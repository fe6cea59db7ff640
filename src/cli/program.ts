import { Command, CommanderError, Option, type OptionValues } from 'commander'
import packageJson from '../../package.json' with { type: 'json' }
import { findAccess } from './access.ts'
import { createApi } from './api.ts'
import { addBulk } from './commands/bulk.ts'
import { addDoctor } from './commands/doctor.ts'
import { addJob } from './commands/job.ts'
import { addJobs } from './commands/jobs.ts'
import { addReprocess } from './commands/reprocess.ts'
import { addSend } from './commands/send.ts'
import { addTail } from './commands/tail.ts'
import { addTenant } from './commands/tenant.ts'
import { CliError, exitCodes, usageError } from './failure.ts'
import { type Output, printable } from './output.ts'
import type { Act, Action, World } from './session.ts'

const about = `Speaks to a Gancho that runs: posts events, follows and reprocesses jobs, keeps tenants.

The address is --url, GANCHO_URL or http://127.0.0.1:4000; the token is GANCHO_TOKEN or --token, which others on this machine can see. Variables are also read from .env.

In development neither is needed: in the folder where "npm start" runs, the administrator's token is found in DATA_DIR as that made it (or in ADMIN_TOKEN). It is shown to addresses of this machine only.`

const codes = `
Exit codes: ${exitCodes.ok} done, ${exitCodes.failed} refused or not all of it done, ${exitCodes.usage} wrong usage, ${exitCodes.unreachable} Gancho cannot be reached or cannot serve now.
--json prints results for programs to stdout, and errors as {"error":{"code","message","requestId"}} to stderr.`

/** Runs what was typed; resolves with the exit code. */
export async function runProgram(args: readonly string[], world: World): Promise<number> {
  const { output } = world
  const json = args.includes('--json')
  let exitCode: number = exitCodes.ok
  const act: Act = <Options extends OptionValues>(command: Command, action: Action<Options>) => {
    command.action(async () => {
      const { url, token } = command.optsWithGlobals()
      const access = findAccess({ url, token }, world.env)
      const session = { ...world, access, api: createApi(access), json }
      exitCode = await action(session, command.opts<Options>(), command.args)
    })
  }
  try {
    await buildProgram(act, json ? forPrograms(output) : output).parseAsync(args, { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) return endOfReading(error, json, output)
    if (!(error instanceof CliError)) throw error
    report(error, json, output)
    return error.exitCode
  }
}

/** Commander ends in this way after its help too, and has written what there is for people. */
function endOfReading({ exitCode, message }: CommanderError, json: boolean, output: Output): number {
  if (exitCode === 0) return exitCodes.ok
  if (json) report(usageError(message), json, output)
  return exitCodes.usage
}

/** Errors are written once, as JSON. */
const forPrograms = (output: Output): Output => ({ ...output, remark: () => undefined })

function buildProgram(act: Act, output: Output): Command {
  const program = new Command('gancho')
    .description(about)
    .version(packageJson.version)
    .addOption(new Option('--url <url>', 'where Gancho is'))
    .addOption(new Option('--token <token>', 'of an administrator or a tenant'))
    .addOption(new Option('--json', 'for programs'))
    .addHelpText('after', codes)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => output.raw(text),
      writeErr: (text) => output.remark(text.trimEnd()),
    })
  for (const add of [addSend, addTail, addJobs, addJob, addReprocess, addBulk, addTenant, addDoctor])
    add(program, act)
  return program
}

/** For programs, where the server has said no code. */
const ownCodes: Record<number, string> = {
  [exitCodes.usage]: 'USAGE',
  [exitCodes.unreachable]: 'UNREACHABLE',
}

function report(
  { message, code, requestId, exitCode }: CliError,
  json: boolean,
  { remark, style }: Output,
): void {
  const known = [code, requestId && `request ${requestId}`].filter(Boolean).join(', ')
  const text = `${style('red', 'gancho:')} ${printable(message)}${known ? ` (${known})` : ''}`
  remark(json ? JSON.stringify({ error: { code: code ?? ownCodes[exitCode], message, requestId } }) : text)
}
