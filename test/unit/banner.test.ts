import { describe, expect, it } from 'vitest'
import { banner } from '../../src/welcome/banner.ts'

const origin = 'http://127.0.0.1:4000'
const development = {
  origin,
  role: 'all' as const,
  graphiql: true,
  adminToken: 'gadm_secret',
  tenant: { cnpj: '12ABC34501DE35', name: 'Demo', token: 'gtok_secret' },
  sampleReceiver: { url: 'http://127.0.0.1:4001/events', switchUrl: 'http://127.0.0.1:4001/switch' },
  sampleUpstream: true,
  secondProcess: '(set -a; . /data/second-process.env; ROLE=worker PORT=0 npm start)',
}

describe('the text at start', () => {
  it('has all that a newcomer needs', () => {
    const text = banner(development)
    for (const part of [`${origin}/webhook`, `${origin}/graphql`, `${origin}/health/ready`])
      expect(text).toContain(part)
    for (const part of ['gadm_secret', '12ABC34501DE35', 'Demo', 'gtok_secret']) expect(text).toContain(part)
    expect(text).toContain(development.secondProcess)
    expect(text).toContain('Ctrl-C')
  })

  it('has commands to paste, each on a line of its own', () => {
    const commands = banner(development)
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line.startsWith('curl'))
    expect(commands).toEqual([
      `curl -i ${origin}/webhook -H 'Authorization: Bearer gtok_secret' -H 'Content-Type: application/json' -H 'X-Event-Type: order.created' -d '{"order":1}'`,
      `curl -X POST 'http://127.0.0.1:4001/switch?status=500&times=3'`,
      expect.stringMatching(
        /^curl -s http:\/\/127\.0\.0\.1:4000\/graphql -H 'Authorization: Bearer gtok_secret' .* -d '\{"query":"mutation \{ callAndAwait/,
      ),
    ])
  })

  it('leaves out what production has no use for', () => {
    const text = banner({ origin, role: 'gateway', graphiql: false })
    expect(text).toContain(`${origin}/graphql`)
    expect(text).not.toMatch(/token|tenant|receiver|curl|undefined/i)
  })

  it('names only what a worker serves', () => {
    const text = banner({ origin, role: 'worker', graphiql: false })
    expect(text).toContain('/health/ready')
    expect(text).not.toMatch(/webhook|graphql/)
  })
})
