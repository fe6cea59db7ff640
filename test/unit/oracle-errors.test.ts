import { describe, expect, test } from 'vitest'
import { GanchoError } from '../../src/errors.ts'
import { errorOfOracle, isWorthRepeating } from '../../src/storage/oracle/oracle-error.ts'
import { ConstraintError } from '../../src/storage/sql.ts'

const errorWith = (code: string) => Object.assign(new Error(`${code}: what the driver says`), { code })

describe('an error of OracleDB', () => {
  test.each(['ORA-00001', 'ORA-01400', 'ORA-01407', 'ORA-02290', 'ORA-02291', 'ORA-02292'])(
    '%s is a broken constraint, and the same would break it again',
    (code) => {
      const error = errorWith(code)
      expect(errorOfOracle(error)).toBeInstanceOf(ConstraintError)
      expect(errorOfOracle(error)).toMatchObject({ cause: error })
      expect(isWorthRepeating(error)).toBe(false)
    },
  )

  test.each([
    ...['NJS-500', 'NJS-503', 'NJS-510', 'NJS-521', 'ORA-00028', 'ORA-03113', 'ORA-03114', 'ORA-03135'],
    ...['ORA-12170', 'ORA-12514', 'ORA-12541', 'ORA-00060', 'ORA-00054'],
  ])('%s says that it is away, and may pass', (code) => {
    const error = errorWith(code)
    expect(errorOfOracle(error)).toMatchObject({ code: 'DATABASE_UNAVAILABLE', cause: error })
    expect(isWorthRepeating(error)).toBe(true)
  })

  test.each(['NJS-040', 'NJS-123', 'NJS-505', 'ORA-01017', 'ORA-01653', 'ORA-12154', 'ORA-28000'])(
    '%s says that it is away, and is not tried again at once',
    (code) => {
      expect(errorOfOracle(errorWith(code))).toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
      expect(isWorthRepeating(errorWith(code))).toBe(false)
    },
  )

  test.each(['ORA-00904', 'ORA-00942', 'ORA-12899', 'ORA-12838', 'NJS-098'])(
    '%s is a fault of ours and stays what it is',
    (code) => {
      const error = errorWith(code)
      expect(errorOfOracle(error)).toBe(error)
      expect(isWorthRepeating(error)).toBe(false)
    },
  )

  test('that was told apart already stays what it is, and is not tried again', () => {
    const lostCommit = new GanchoError('DATABASE_UNAVAILABLE', undefined, { cause: errorWith('NJS-500') })
    expect(errorOfOracle(lostCommit)).toBe(lostCommit)
    expect(isWorthRepeating(lostCommit)).toBe(false)
  })
})
