// Gancho under PM2: npm run pm2 -- start ecosystem.config.cjs. Settings come from the environment or from .env, see docs/pm2.md.
const { existsSync, readFileSync } = require('node:fs')
const { join } = require('node:path')
const { parseEnv } = require('node:util')

const oldestMajor = 24
if (Number.parseInt(process.versions.node, 10) < oldestMajor) {
  // PM2 runs cluster mode on its own Node, whatever the interpreter says.
  throw new Error(`PM2 itself has to run on Node ${oldestMajor} or newer: use "npm run pm2 -- …".`)
}

const file = process.env.GANCHO_ENV_FILE || join(__dirname, '.env')
const settings = { ...(existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {}), ...process.env }
if (!settings.REDIS_URL) {
  throw new Error(
    'Several processes need a Redis that they share: set REDIS_URL, in .env or in the environment.',
  )
}
const setting = (name, fallback) => Number(settings[name] || fallback)

/** What Gancho grants itself beyond its two settings (src/main.ts), and a little. */
const lastResortMs = 20_000

const gancho = {
  script: 'src/main.ts',
  cwd: __dirname,
  interpreter: process.execPath,
  node_args: '--disable-warning=ExperimentalWarning',
  instances: 2,
  wait_ready: true,
  listen_timeout: 30_000,
  kill_timeout: setting('SHUTDOWN_DELAY_MS', 0) + setting('SHUTDOWN_TIMEOUT_MS', 35_000) + lastResortMs,
}
const port = setting('PORT', 4000)

module.exports = {
  apps: [
    { ...gancho, name: 'gancho-gateway', exec_mode: 'cluster', env: { ROLE: 'gateway', PORT: port } },
    // Their health is served on the ports behind that of the gateways.
    {
      ...gancho,
      name: 'gancho-worker',
      exec_mode: 'fork',
      increment_var: 'PORT',
      env: { ROLE: 'worker', PORT: port + 1 },
    },
  ],
}
