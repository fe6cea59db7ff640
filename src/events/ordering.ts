import { hash } from 'node:crypto'

/** Header by which a sender names an event's ordering key; kept with the job, so a job that is brought back from history has it too. */
export const orderingHeader = 'x-ordering-key'
export const maxOrderingKeyLength = 255

/** What stands for an ordering key in Redis: of bounded length, and without a character that means something there. */
export const orderingHash = (key: string) => hash('sha256', key, 'base64url').slice(0, 22)
