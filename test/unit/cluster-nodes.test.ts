import { expect, test } from 'vitest'
import { holderIn, mastersIn } from '../../src/redis/cluster-nodes.ts'

const answer = [
  'aa 10.0.0.1:7000@17000,one.example master - 0 1 3 connected 0-99 200 [300->-bb]',
  'bb 10.0.0.2:7000@17000 myself,master,fail - 0 1 5 connected 50-60',
  'cc 10.0.0.3:7000@17000 slave aa 0 1 3 connected',
  'dd 10.0.0.4:7000@17000 master - 0 1 1 connected',
  'ee :7000@17000 myself,master - 0 0 0 connected 16383',
  '',
].join('\n')
const masters = mastersIn(answer, { asked: 'asked', tls: false })

test('only masters with slots are told, without slots that are on their way', () => {
  expect(masters).toMatchObject([
    {
      host: '10.0.0.1',
      port: 7_000,
      epoch: 3,
      slots: [
        [0, 99],
        [200, 200],
      ],
    },
    { host: '10.0.0.2', slots: [[50, 60]] },
    { host: 'asked', slots: [[16_383, 16_383]] },
  ])
})

test('with TLS a node is reached by the name that it announces', () => {
  const [first, second] = mastersIn(answer, { asked: 'asked', tls: true })
  expect([first?.host, second?.host]).toEqual(['one.example', '10.0.0.2'])
})

test('of two that claim a slot the later claim counts, and one that nobody claims is nobody’s', () => {
  const hostOf = (slot: number) => holderIn(masters, slot)?.host
  expect([49, 55, 200, 300].map(hostOf)).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.1', undefined])
})
