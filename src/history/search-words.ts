/** Letters and digits: what a word is made of. */
const someLetter = /[\p{L}\p{N}]/u

/** The words of a text that is searched for. What has neither letter nor digit is in no index, and is no word. */
export const searchWords = (text: string): string[] =>
  text.split(/[\s\p{Cc}]+/u).filter((word) => someLetter.test(word))
