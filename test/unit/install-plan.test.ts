import { describe, expect, it } from 'vitest'
import { type InstallFacts, planInstall } from '../../src/redis/install-plan.ts'

const nobody: InstallFacts = {
  isRoot: false,
  hasTerminal: false,
  hasSudo: false,
  hasSystemd: false,
  managers: [],
}
const plan = (facts: Partial<InstallFacts>) => planInstall({ ...nobody, ...facts })
const words = (facts: Partial<InstallFacts>) => {
  const planned = plan(facts)
  if (planned.do === 'explain') throw new Error(planned.line)
  return [
    ...planned.before,
    ...planned.alternatives.flatMap(({ install, after }) => [install, ...after]),
  ].map((c) => c.join(' '))
}

describe('as root', () => {
  it('refreshes the lists and installs without a question on Debian', () => {
    const facts = { isRoot: true, managers: ['apt-get'] } as const
    expect(plan(facts)).toMatchObject({ do: 'install', ask: false })
    expect(words(facts)).toEqual([
      expect.stringMatching(/DEBIAN_FRONTEND=noninteractive .*apt-get .*update$/),
      expect.stringMatching(
        /DEBIAN_FRONTEND=noninteractive .*apt-get .*install -y --no-install-recommends redis-server$/,
      ),
      '/etc/init.d/redis-server stop',
      expect.stringMatching(/install -y --no-install-recommends valkey-server$/),
      '/etc/init.d/valkey-server stop',
    ])
  })

  it.each([
    [true, 'systemctl disable --now redis-server'],
    [false, '/etc/init.d/redis-server stop'],
  ])('stops the service that the package starts (systemd: %s)', (hasSystemd, command) => {
    expect(words({ isRoot: true, managers: ['apt-get'], hasSystemd })[2]).toBe(command)
  })

  it.each([
    ['dnf', 'dnf install -y valkey'],
    ['apk', 'apk add --no-cache redis'],
  ] as const)('installs without a question with %s', (manager, command) => {
    expect(plan({ isRoot: true, managers: [manager] })).toMatchObject({ do: 'install', ask: false })
    expect(words({ isRoot: true, managers: [manager] })[0]).toBe(command)
  })

  it('leaves Homebrew, which refuses root, to the user', () => {
    expect(plan({ isRoot: true, hasTerminal: true, managers: ['brew'] })).toMatchObject({
      do: 'explain',
      line: expect.stringContaining('"brew install redis" as your own user'),
    })
  })
})

describe('as a plain user', () => {
  it.each(['apt-get', 'dnf', 'apk'] as const)(
    'asks at the terminal and then installs with sudo and %s',
    (manager) => {
      const facts = { hasTerminal: true, hasSudo: true, hasSystemd: true, managers: [manager] }
      expect(plan(facts)).toMatchObject({ do: 'install', ask: true })
      expect(words(facts).filter((command) => !command.startsWith('sudo '))).toEqual([])
    },
  )

  it('asks at the terminal and then installs with Homebrew', () => {
    expect(plan({ hasTerminal: true, managers: ['brew'] })).toMatchObject({ do: 'install', ask: true })
    expect(words({ hasTerminal: true, managers: ['brew'] })[0]).toBe('brew install redis')
  })

  it.each([
    ['nobody can be asked', { hasSudo: true, managers: ['apt-get'] }, 'sudo apt-get install -y redis-server'],
    ['there is no sudo', { hasTerminal: true, managers: ['apt-get'] }, 'apt-get install -y redis-server'],
    ['Homebrew has nobody to ask', { managers: ['brew'] }, 'brew install redis'],
    [
      'no package manager is known',
      { hasTerminal: true, hasSudo: true },
      'install redis-server or valkey-server',
    ],
  ] as const)('tells in one line what to type when %s', (_, facts, typed) => {
    const planned = plan(facts)
    expect(planned).toMatchObject({ do: 'explain', line: expect.stringContaining(typed) })
    expect(planned).toMatchObject({ line: expect.stringMatching(/^.*REDIS_URL.*$/) })
  })
})
