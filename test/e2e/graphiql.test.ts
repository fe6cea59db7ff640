import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { browserPath, openBrowser } from '../support/browser.ts'
import { clientsOf, type Fleet, openFleet } from '../support/fleet.ts'
import { adminToken, type GanchoProcess } from '../support/gancho.ts'

describe.skipIf(!browserPath)('GraphiQL in a browser', () => {
  let fleet: Fleet
  let gancho: GanchoProcess
  let browser: Browser
  let page: Page
  /** What the browser complained of, blocked scripts among it. */
  const complaints: string[] = []
  const elsewhere: string[] = []

  beforeAll(async () => {
    fleet = await openFleet({ answer: (response) => response.end('ok'), env: { GRAPHIQL: 'true' } })
    ;[gancho, browser] = await Promise.all([fleet.start('all'), openBrowser()])
    page = await browser.newPage({ viewport: { width: 1_300, height: 800 } })
    page.setDefaultTimeout(60_000)
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(String(error)))
    page.on('request', (request) => {
      if (/^https?:/.test(request.url()) && !request.url().startsWith(gancho.origin))
        elsewhere.push(request.url())
    })
  })
  afterAll(async () => {
    await browser?.close()
    await fleet.close()
  })

  const editor = (name: string) =>
    page.getByRole('region', { name, exact: true }).locator('.monaco-editor').filter({ visible: true })
  /** Replaces what an editor holds. */
  const write = async (name: string, text: string) => {
    await editor(name).click()
    await page.keyboard.press('ControlOrMeta+A')
    await page.keyboard.insertText(text)
    // The editor closes quotes and braces by itself, behind what was typed.
    await page.keyboard.press('ControlOrMeta+Shift+End')
    await page.keyboard.press('Delete')
  }

  test('loads under its content security policy, from this server alone', async () => {
    const response = await page.goto(`${gancho.origin}/graphql`)
    expect(response?.status()).toBe(200)
    expect(response?.headers()['content-security-policy']).toContain("default-src 'self'")
    await editor('Operation Editor').waitFor()
    expect(elsewhere).toEqual([])
  })

  test('runs a query with the token of its headers tab and shows the result', async () => {
    const { tenant } = await clientsOf(gancho)
    const id = await tenant.postJob({ shown: 'marker' })
    await write('Headers', JSON.stringify({ authorization: `Bearer ${adminToken}` }))
    await write('Operation Editor', `{ job(id: "${id}") { id payload } }`)
    await page.getByRole('button', { name: /Execute query/ }).click()
    const result = page.getByRole('region', { name: 'Result Window' })
    await expect.poll(() => result.innerText()).toContain('marker')
  })

  test('shows the schema to whoever has given a token', async () => {
    await page.getByRole('button', { name: /Re-fetch GraphQL schema/ }).click()
    await page.getByRole('button', { name: 'Show Documentation Explorer' }).click()
    await page
      .getByText('publishEvent')
      .or(page.getByRole('link', { name: 'Mutation' }))
      .first()
      .waitFor()
  })

  test('makes the browser complain of nothing but the look at the schema before there was a token', () => {
    expect(complaints.filter((text) => !/status of 401/.test(text))).toEqual([])
    expect(complaints.length).toBeLessThanOrEqual(2)
  })
})
