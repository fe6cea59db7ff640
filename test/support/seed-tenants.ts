import { openSqlite } from '../../src/storage/sqlite/database.ts'
import { tenantBinds, tenantColumns, tokenBinds, tokenColumns } from '../../src/storage/tenant-row.ts'
import { newTenantToken, tokenHashing } from '../../src/tenants/token.ts'
import { tokenCipher } from '../../src/tenants/token-cipher.ts'
import { tenantRow, tokenRow } from './tenant-rows.ts'

const together = 5_000

const insert = (table: string, columns: readonly string[]) =>
  `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map((column) => `:${column}`).join(', ')})`

/** Fills a SQLite file, whose tables are there, with so many tenants of one token each, and returns the tokens. */
export async function seedTenants(path: string, count: number, secret: string): Promise<string[]> {
  const hashToken = tokenHashing(secret)
  const cipher = tokenCipher(secret)
  const tokens = Array.from({ length: count }, newTenantToken)
  const database = openSqlite({ path })
  for (let from = 0; from < count; from += together) {
    const part = tokens.slice(from, from + together).map((token, at) => {
      const cnpj = String(from + at).padStart(14, '0')
      const row = tokenRow(cnpj, hashToken(token), {
        encrypted: cipher.encrypt(token),
        prefix: token.slice(0, 8),
      })
      return { tenant: tenantBinds(tenantRow(cnpj)), token: tokenBinds(row) }
    })
    await database.transaction([
      { sql: insert('tenants', tenantColumns), rows: part.map(({ tenant }) => tenant) },
      { sql: insert('tenant_tokens', tokenColumns), rows: part.map(({ token }) => token) },
    ])
  }
  await database.close()
  return tokens
}
