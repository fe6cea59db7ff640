/** Small letters without accents, so that a database's own idea of letters has no say in what a search finds. */
export const searchable = (text: string) =>
  text
    .normalize('NFD')
    .replace(/\p{Mark}/gu, '')
    .toLowerCase()

/** What a search for a tenant looks through. */
export const searchTextOf = ({ name, cnpj }: { name: string; cnpj: string }) =>
  `${searchable(name)} ${cnpj.toLowerCase()}`
