import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { isUnanswered } from './redis-error.ts'

const pauseMs = 100

/**
 * Asks again until Redis answers: whoever starts waits for a Redis that is slow as for one that is away. Only for questions that may be
 * repeated. @throws whatever else the question ends with, such as a refusal
 */
export async function untilAnswered<Answer>(
  ask: () => Promise<Answer>,
  log: Pick<Logger, 'warn'>,
): Promise<Answer> {
  for (let isTold = false; ; isTold = true) {
    try {
      return await ask()
    } catch (err) {
      if (!isUnanswered(err)) throw err
      if (!isTold) log.warn({ err }, 'Redis does not answer in time, asking again')
    }
    await sleep(pauseMs)
  }
}
