import { expect, test } from 'vitest'
import { type SchemeName, schemes } from '../../src/tenants/sources/schemes.ts'

type Vector = {
  scheme: SchemeName
  secret: string
  body: string
  headers: Record<string, string>
  options?: Record<string, string>
  nowMs?: number
}

const standardHeaders = {
  'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  'webhook-timestamp': '1614265330',
  'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
}
/** RFC 4231, section 4.3. */
const macs = {
  sha256: '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  sha512:
    '164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737',
}
const ofRfc = (algorithm: keyof typeof macs): Vector => ({
  scheme: 'hmac',
  secret: 'Jefe',
  body: 'what do ya want for nothing?',
  headers: { 'x-mac': macs[algorithm] },
  options: { header: 'x-mac', algorithm, encoding: 'hex', prefix: '' },
})

const vectors: [string, Vector][] = [
  [
    'the specification of Standard Webhooks',
    {
      scheme: 'standard-webhooks',
      secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
      body: '{"test": 2432232314}',
      headers: standardHeaders,
      nowMs: 1_614_265_330_000,
    },
  ],
  [
    'the documentation of GitHub',
    {
      scheme: 'github',
      secret: "It's a Secret to Everybody",
      body: 'Hello, World!',
      headers: {
        'x-hub-signature-256': 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
      },
    },
  ],
  ['RFC 4231 with SHA-256', ofRfc('sha256')],
  ['RFC 4231 with SHA-512', ofRfc('sha512')],
]

test.each(vectors)(
  '%s signs as we verify',
  (_of, { scheme, secret, body, headers, options = {}, nowMs = 0 }) => {
    const { verify } = schemes[scheme]
    const isRight = (text: string) => verify({ headers, body: Buffer.from(text) }, [secret], options, nowMs)
    expect(isRight(body)).toBe(true)
    expect(isRight(`${body} `)).toBe(false)
  },
)

test('a secret may have blanks, as the one that GitHub shows has, but none at its ends', () => {
  const { isSecret } = schemes.github
  expect(isSecret("It's a Secret to Everybody")).toBe(true)
  for (const wrong of [' blank before', 'blank behind ', 'a\nnew line', 'short', 'x'.repeat(513)])
    expect(isSecret(wrong), wrong).toBe(false)
})
