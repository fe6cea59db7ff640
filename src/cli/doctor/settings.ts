import { ConfigError, readConfig } from '../../config.ts'
import type { Environment } from '../access.ts'
import { type Finding, fail, ok, warn } from './finding.ts'

/** What the environment says, also where it is not right. */
export type DoctorSettings = {
  redisUrl: string | undefined
  dataDir: string
  database: { connect: string; user: string; password: string } | undefined
  destinationUrl: string | undefined
  delivers: boolean
  adminToken: string | undefined
  encryptionSecret: string | undefined
}

export function doctorSettings(env: Environment): DoctorSettings {
  const { DB_CONNECT: connect, DB_USER: user = '', DB_PASS: password = '' } = env
  return {
    redisUrl: env.REDIS_URL || undefined,
    dataDir: env.DATA_DIR || '.gancho',
    database: connect ? { connect, user, password } : undefined,
    destinationUrl: env.DESTINATION_URL || undefined,
    delivers: env.ROLE !== 'gateway',
    adminToken: env.ADMIN_TOKEN || undefined,
    encryptionSecret: env.ENCRYPTION_SECRET || undefined,
  }
}

/** Every variable as Gancho's start checks it, and the file they may come from. */
export function checkSettings(env: Environment, envWarnings: readonly string[]): Finding[] {
  const ofFile = envWarnings.map((warning) => warn('Environment file', warning, 'correct it'))
  return [...problems(env), ...ofFile]
}

function problems(env: Environment): Finding[] {
  try {
    readConfig(env)
    return [ok('Environment', 'every variable is right')]
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems.map((problem) => fail('Environment', problem, 'Gancho does not start with it'))
  }
}
