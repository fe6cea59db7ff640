import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { newSigningSecret } from '../../src/delivery/destination-secrets.ts'
import { signature } from '../../src/delivery/signature.ts'

const page = readFileSync(new URL('../../docs/security-of-deliveries.md', import.meta.url), 'utf8')
const example = (language: string) => page.split(`\`\`\`${language}\n`)[1]?.split('```')[0] ?? ''

type Headers = Record<string, string>
type Verify = (secret: string, headers: Headers, body: Buffer) => boolean

const [secret, older] = [newSigningSecret(), newSigningSecret()]
const body = Buffer.from('{"text":"obrigação"}')
const sentAt = (nowMs: number): Headers => {
  const [id, timestamp] = ['e_d', String(Math.floor(nowMs / 1000))]
  const secrets = [secret, older].map((one) => ({ secret: one, endsAt: null }))
  const signed = signature(secrets, { id, timestamp, body }, nowMs) ?? ''
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signed }
}

function expectToVerify(verify: Verify): void {
  const headers = sentAt(Date.now())
  expect(verify(secret, headers, body)).toBe(true)
  expect(verify(older, headers, body)).toBe(true)
  expect(verify(newSigningSecret(), headers, body)).toBe(false)
  expect(verify(secret, headers, Buffer.from('{}'))).toBe(false)
  expect(verify(secret, { ...headers, 'webhook-id': 'another' }, body)).toBe(false)
  expect(verify(secret, sentAt(Date.now() - 310_000), body)).toBe(false)
  expect(verify(secret, sentAt(Date.now() + 310_000), body)).toBe(false)
  expect(verify(secret, {}, body)).toBe(false)
}

test('the example in JavaScript takes what is signed now and nothing else', async () => {
  const url = `data:text/javascript,${encodeURIComponent(example('js'))}`
  const { isFromGancho } = (await import(/* @vite-ignore */ url)) as { isFromGancho: Verify }
  expectToVerify(isFromGancho)
})

const hasPython = spawnSync('python3', ['-c', 'str.removeprefix']).status === 0

test.skipIf(!hasPython)('the example in Python takes what is signed now and nothing else', () => {
  const calls = 'import json, sys\ncall = json.load(sys.stdin)\ncall["body"] = bytes(call["body"])'
  const program = `${example('python')}\n${calls}\nprint(is_from_gancho(**call))`
  expectToVerify((secret, headers, body) => {
    const input = JSON.stringify({ secret, headers, body: [...body] })
    return execFileSync('python3', ['-c', program], { input }).toString().trim() === 'True'
  })
})
