import { expect, test } from 'vitest'
import { attemptsReading, jobsReading } from '../../src/storage/read-jobs.ts'

test('what is wanted of jobs makes the same queries in whatever order it is named', () => {
  const queriesFor = (wanted: Parameters<typeof jobsReading>[0]) => {
    const { jobs, attempts, tenants } = jobsReading(wanted)
    return { jobs, attempts, tenants }
  }
  const one = queriesFor({ job: ['status', 'n', 'headers'], attempts: ['round', 'number'], tenants: true })
  const other = queriesFor({
    job: ['headers', 'cnpj', 'status'],
    attempts: ['number', 'round'],
    tenants: true,
  })
  expect(one).toEqual(other)
  expect(one.jobs).toBe('SELECT n, cnpj, headers, status FROM jobs')
  expect(one.attempts).toBe('SELECT n, attempt_number, round FROM attempts')
})

test('without any parts of attempts they are counted all the same', () => {
  const { select, byJob } = attemptsReading([])
  expect(select).toBe('SELECT n FROM attempts')
  expect(byJob([{ n: 2 }, { n: 2 }, { n: 7 }])).toEqual(
    new Map([2, 7].map((n) => [n, n === 2 ? [{}, {}] : [{}]])),
  )
})
