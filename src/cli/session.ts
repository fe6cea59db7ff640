import type { Readable } from 'node:stream'
import type { Command, OptionValues } from 'commander'
import type { Access, Environment } from './access.ts'
import type { Api } from './api.ts'
import type { Output } from './output.ts'

export type World = {
  env: Environment
  /** What is to be said of the environment file. */
  envWarnings: readonly string[]
  output: Output
  stdin: Readable & { isTTY?: boolean }
  /** Aborted when the person wants an end, as with Ctrl-C. */
  interrupted: AbortSignal
}

/** What a command works with, once its options are read. */
export type Session = World & { access: Access; api: Api; json: boolean }

export type Action<Options> = (session: Session, options: Options, args: string[]) => Promise<number>
/** Has a command call an action with a session, its options and its arguments; what it resolves with is the exit code. */
export type Act = <Options extends OptionValues>(command: Command, action: Action<Options>) => void
