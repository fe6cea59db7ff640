import { expect, test } from 'vitest'
import { connectionKey, unansweredTries } from '../../src/http/unanswered-tries.ts'

/** As Linux 6.18 on a little-endian machine shows it; the last fields of a row are left out. */
const head =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n'
const head6 =
  '  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n'
const listening =
  '   0: 00000000:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1076 1 0\n'
const timeWait =
  '   1: 0100007F:86E5 0100007F:9FA2 06 00000000:00000000 03:00001361 00000000     0        0 0 3 0\n'
const idle =
  '   2: 0100007F:A15F 0100007F:D5DA 01 00000000:00000000 02:0000015E 00000000     0        0 3080552 2 0\n'
const onItsWay =
  '   3: 0100007F:A15F 0100007F:D5DB 01 0000001E:00000000 01:00000014 00000000     0        0 3080553 2 0\n'
const notReading =
  '   4: 0100007F:A15F 0100007F:D5DC 01 00097A88:00000000 04:00000282 00000000     0        0 3080554 3 0\n'
const gone =
  '   5: 014DD50A:A15F 024DD50A:D5DA 01 0000003C:00000000 01:000000BE 0000000B  1000        0 3080322 3 0\n'
const goneAndFull =
  '  12: 014DD50A:A15F 034DD50A:D5DA 01 00097A88:00000000 04:000004B3 00000000 65534        4 3080322 3 0\n'
const closing =
  '  13: 014DD50A:A15F 044DD50A:D5DA 04 0000003C:00000000 01:000000BE 00000005     0        0 0 3 0\n'
const gone6 =
  '   2: 130200FD000077000000000001000000:A15F 130200FD000077000000000002000000:9426 01 00000078:00000000 01:0000017F 00000005     0        0 3080552 3 0\n'
const goneMapped =
  '   1: 0000000000000000FFFF0000014DD50A:A15F 0000000000000000FFFF0000054DD50A:D5DA 01 00000078:00000000 01:0000006D 00000003     0        0 3080322 3 0\n'

const keyOf = (localAddress: string, localPort: number, remoteAddress: string, remotePort: number) =>
  connectionKey({ localAddress, localPort, remoteAddress, remotePort }) ?? 'none'

test('of all connections those are found whose peers do not answer, with how often it was tried', () => {
  const table = head + listening + timeWait + idle + onItsWay + notReading + gone + goneAndFull + closing
  expect([...unansweredTries(table)]).toEqual([
    [keyOf('10.213.77.1', 41_311, '10.213.77.2', 54_746), 11],
    [keyOf('10.213.77.1', 41_311, '10.213.77.3', 54_746), 4],
  ])
})

test('those over IPv6 are found too, and IPv4 however the system and Node write it', () => {
  expect([...unansweredTries(head + head6 + goneMapped + gone6)]).toEqual([
    [keyOf('::ffff:10.213.77.1', 41_311, '::ffff:10.213.77.5', 54_746), 3],
    [keyOf('fd00:213:77::1', 41_311, 'fd00:213:77::2', 37_926), 5],
  ])
  expect(keyOf('::ffff:10.213.77.1', 1, '::ffff:10.213.77.5', 2)).toBe(
    keyOf('10.213.77.1', 1, '10.213.77.5', 2),
  )
  expect(keyOf('fe80::1%eth0', 1, 'fe80::2%eth0', 2)).toBe(keyOf('fe80::1', 1, 'fe80::2', 2))
})

test('what is not connected has no key, and a text that is none of the tables no rows', () => {
  expect(connectionKey({})).toBeUndefined()
  expect(unansweredTries('').size).toBe(0)
  expect(unansweredTries('nothing: of 01 this 00 kind 1 0 0').size).toBe(0)
})
