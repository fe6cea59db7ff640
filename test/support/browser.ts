import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'

const names = ['chromium', 'chromium-browser', 'google-chrome']

/** The browser that is installed on this machine, undefined where there is none. */
export const browserPath = (process.env.PATH ?? '')
  .split(delimiter)
  .flatMap((folder) => names.map((name) => join(folder, name)))
  .find(isExecutable)

if (!browserPath) console.warn(`No browser on the PATH (${names.join(', ')}): its tests are skipped.`)

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

export function openBrowser(): Promise<Browser> {
  // As root, as in a container, Chromium runs without its sandbox or not at all; it opens our own pages alone.
  const args = ['--no-sandbox', '--disable-dev-shm-usage']
  return chromium.launch({ executablePath: browserPath ?? '', args })
}
