// The least that a synchronous answer to an asynchronous callback can cost over HTTP, in one process and without any store:
// `POST /wait/:id` is answered when `POST /callback/:id` comes.
import { serveRelay } from './relay-server.ts'

const answer = serveRelay((id, body) => answer(id, body))
