import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { openSqliteStores } from '../../src/storage/open-stores.ts'
import { openSqlite } from '../../src/storage/sqlite/database.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

/** As the first version of the schema made it. */
const before = [
  'CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT',
  "INSERT INTO schema_migrations (version, name, applied_at) VALUES (1, 'tenants', 1)",
  `CREATE TABLE tenants (
    cnpj TEXT PRIMARY KEY, name TEXT NOT NULL, active INTEGER NOT NULL, created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL, token_hash TEXT NOT NULL UNIQUE, encrypted_token TEXT NOT NULL
  ) STRICT, WITHOUT ROWID`,
  `INSERT INTO tenants VALUES
    ('12ABC34501DE35', 'AÇAÍ & Pão', 1, 10, 20, 'hash one', 'v1.one'),
    ('11222333000181', 'Other', 0, 30, 40, 'hash two', 'v1.two')`,
]

it('keeps tenants and their tokens when the file comes from before a tenant could have several', async () => {
  const folder = await temporaryFolder()
  onTestFinished(() => folder.remove())
  const path = join(folder.path, 'gancho.db')
  const database = openSqlite({ path })
  for (const sql of before) await database.run(sql)
  await database.close()

  // Two at once, as when two processes start together.
  const opened = await Promise.all([openSqliteStores({ path }), openSqliteStores({ path })])
  onTestFinished(async () => {
    for (const stores of opened) await stores.close()
  })
  for (const { tenants } of opened) {
    const tenant = { cnpj: '12ABC34501DE35', name: 'AÇAÍ & Pão', active: true, settings: {} }
    expect(await tenants.byTokenHash('hash one')).toMatchObject({ tenant, token: { expiresAt: null } })
    expect(await tenants.tokens(['11222333000181'])).toEqual([
      {
        ...{
          id: expect.stringMatching(/^[0-9a-f]{32}$/),
          cnpj: '11222333000181',
          name: 'first',
          prefix: 'gnt_',
        },
        ...{ hash: 'hash two', encrypted: 'v1.two', createdAt: 30 },
        ...{ expiresAt: null, lastUsedAt: null, revokedAt: null },
      },
    ])
    expect(await tenants.list({ limit: 9, filter: { text: 'açaí & pao' } })).toMatchObject([
      { ...tenant, createdAt: 10, updatedAt: 20 },
    ])
    expect(await tenants.list({ limit: 9, filter: { active: false } })).toMatchObject([{ name: 'Other' }])
  }
})
