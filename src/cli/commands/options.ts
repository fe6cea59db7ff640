import { InvalidArgumentError } from 'commander'

/** Reads a whole number of an option. */
export const wholeNumber =
  (min: number, max: number) =>
  (text: string): number => {
    const value = Number(text)
    if (text.trim() !== '' && Number.isInteger(value) && value >= min && value <= max) return value
    throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`)
  }

/** Collects an option that may be given several times, or once with commas. */
export const several = (text: string, before: readonly string[] = []): string[] => [
  ...before,
  ...text.split(',').map((one) => one.trim()),
]

/** Statuses of jobs, whatever their case. */
export const statuses = (text: string, before: readonly string[] = []): string[] =>
  several(text, before).map((status) => {
    const known = status.toUpperCase()
    if (jobStatuses.includes(known)) return known
    throw new InvalidArgumentError(`Expected one of ${jobStatuses.join(', ')}.`)
  })

const jobStatuses = [
  'RECEIVED',
  'QUEUED',
  'HELD',
  'DELIVERING',
  'RETRYING',
  'DELIVERED',
  'FAILED',
  'DISCARDED',
]
