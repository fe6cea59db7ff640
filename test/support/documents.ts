import { readFileSync } from 'node:fs'

/** A fenced block of a document. */
export type Block = { language: string; text: string }

const rootFile = (path: string) => new URL(`../../${path}`, import.meta.url)

/** The blocks of a document, in their order. */
export const blocksOf = (path: string): Block[] =>
  [...readFileSync(rootFile(path), 'utf8').matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(
    ([, language = '', text = '']) => ({
      language,
      text,
    }),
  )

/** Commands that a document shows, each with the output that stands right behind it. */
export function shownCommands(path: string): { command: string; output: string }[] {
  const blocks = blocksOf(path)
  return blocks.flatMap(({ language, text }, at) => {
    const next = blocks[at + 1]
    return language === 'bash' && next?.language === '' ? [{ command: text, output: next.text }] : []
  })
}

/** What differs from run to run, made the same. */
export const withoutChance = (text: string) =>
  text
    .replaceAll(/[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/g, '<uuid>')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .trim()
