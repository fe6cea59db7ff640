/** What was found out about one thing; `advice` says what to do about it. */
export type Finding = { name: string; status: 'ok' | 'warn' | 'fail'; message: string; advice?: string }

export const ok = (name: string, message: string): Finding => ({ name, status: 'ok', message })
export const warn = (name: string, message: string, advice: string): Finding => ({
  ...{ name, status: 'warn', message, advice },
})
export const fail = (name: string, message: string, advice: string): Finding => ({
  ...{ name, status: 'fail', message, advice },
})

/** An error as a person needs it: its code where it has one, else the first line of its message. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: string }
  return typeof code === 'string' ? code : (message?.split('\n')[0] ?? 'unknown error')
}
