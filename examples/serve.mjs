// Serves the example pages: node examples/serve.mjs [port]
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

const port = Number(process.argv[2] ?? 5173)
const types = {
  '.html': 'text/html',
  '.mjs': 'text/javascript',
  '.js': 'text/javascript',
  '.css': 'text/css',
}
const pages = /^\/([\w-]+\.(?:html|mjs|css))$/
/** The browser's files of the package, which need no build. */
const library = /^\/graphql-ws\/([\w-]+\.js)$/

function fileOf(path) {
  const page = pages.exec(path)?.[1]
  if (page) return new URL(page, import.meta.url)
  const script = library.exec(path)?.[1]
  return script && new URL(script, import.meta.resolve('graphql-ws/client'))
}

const server = createServer(async ({ url }, response) => {
  const { pathname } = new URL(url, 'http://example')
  try {
    const file = fileOf(pathname === '/' ? '/event-source.html' : pathname)
    const content = await readFile(fileURLToPath(file))
    response
      .writeHead(200, { 'content-type': `${types[extname(file.pathname)]}; charset=utf-8` })
      .end(content)
  } catch {
    response.writeHead(404).end('There is nothing here.')
  }
})

server.listen(port, '127.0.0.1', () => {
  const origin = `http://127.0.0.1:${server.address().port}`
  console.log(`EventSource  ${origin}/event-source.html`)
  console.log(`graphql-ws   ${origin}/graphql-ws.html`)
  console.log(`Gancho lets these pages in when it is started with ALLOWED_ORIGINS=${origin}`)
})
