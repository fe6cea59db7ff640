import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'

export type ScriptName =
  | 'accept'
  | 'accept-reply'
  | 'enqueue'
  | 'dispatched'
  | 'start'
  | 'finish'
  | 'settle'
  | 'transition'
  | 'forget'
  | 'trim'
  | 'open-data-set'
  | 'hold-lease'
  | 'read-jobs'
  | 'drop-attempts'
  | 'set-projected'
  | 'rate-spent'
  | 'await-open'
  | 'await-bind'
  | 'await-fail'
  | 'await-deadline'
  | 'await-ended'
  | 'await-strays'
  | 'journal-state'
  | 'queue-flow'
  | 'gate-states'
  | 'job-places'
  | 'take-place'
  | 'renew-places'
  | 'bulk-create'
  | 'bulk-step'
  | 'bulk-cancel'
  | 'see-workers'
export type ScriptArgument = string | number | Buffer

const keyCounts: Record<ScriptName, number> = {
  accept: 6,
  'accept-reply': 6,
  enqueue: 2,
  dispatched: 1,
  start: 2,
  finish: 2,
  settle: 2,
  transition: 2,
  forget: 1,
  trim: 3,
  'open-data-set': 3,
  'hold-lease': 1,
  'read-jobs': 1,
  'drop-attempts': 1,
  'set-projected': 1,
  'rate-spent': 1,
  'await-open': 1,
  'await-bind': 1,
  'await-fail': 1,
  'await-deadline': 1,
  'await-ended': 1,
  'await-strays': 1,
  'journal-state': 3,
  'queue-flow': 1,
  'gate-states': 0,
  'job-places': 0,
  'take-place': 1,
  'renew-places': 1,
  'bulk-create': 1,
  'bulk-step': 2,
  'bulk-cancel': 1,
  'see-workers': 1,
}
const outcomes = ['job', 'breaker', 'breaker-outcomes', 'gate', 'gate-outcomes'] as const
/** Files of functions that stand in front of a script. */
const preludes: Partial<Record<ScriptName, readonly string[]>> = {
  accept: ['job', 'rate', 'awaited', 'offers', 'accepting'],
  'accept-reply': ['job', 'awaited', 'accepting'],
  enqueue: ['job', 'breaker', 'gate', 'flow', 'about', 'changes'],
  start: ['job', 'breaker', 'gate', 'gate-start', 'flow', 'flow-start', 'about', 'changes'],
  finish: [...outcomes, 'flow', 'flow-release', 'about', 'changes', 'rounds'],
  transition: [...outcomes, 'flow', 'flow-start', 'flow-release', 'about', 'changes', 'rounds'],
  'read-jobs': ['about'],
  'job-places': ['about'],
  'rate-spent': ['job', 'rate'],
  'await-open': ['job', 'awaited', 'offers'],
  'await-bind': ['job', 'awaited', 'offers'],
  'await-fail': ['job', 'awaited'],
  'await-deadline': ['job', 'awaited'],
  'await-strays': ['job', 'awaited', 'offers'],
  'queue-flow': ['job', 'breaker', 'gate', 'about'],
  'bulk-create': ['job'],
  'bulk-step': ['job'],
  'see-workers': ['job'],
  'gate-states': ['job', 'breaker', 'breaker-outcomes', 'gate'],
}

const read = (file: string) => readFileSync(new URL(`./scripts/${file}.lua`, import.meta.url), 'utf8')

/** A script bound to a connection. Sends the script's hash, and its text only where Redis does not know it yet. */
export type Script = (keys: readonly string[], args: readonly ScriptArgument[]) => Promise<unknown>

/**
 * Loads `scripts/<name>.lua`. With `buffers`, strings in the answer are Buffers, for bodies that are not text.
 *
 * Not a command that ioredis defines: that is an object and two promises more for each call, and each pipeline defines it anew.
 */
export function loadScript(redis: Redis, name: ScriptName, { buffers = false } = {}): Script {
  const lua = [...(preludes[name] ?? []), name].map(read).join('\n')
  const sha = hash('sha1', lua)
  const keyCount = keyCounts[name]
  const send = buffers ? 'callBuffer' : 'call'
  return async (keys, args) => {
    try {
      return await redis[send]('evalsha', sha, keyCount, ...keys, ...args)
    } catch (error) {
      // It has run nothing then.
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
      return redis[send]('eval', lua, keyCount, ...keys, ...args)
    }
  }
}
