import { connect as connectPlain, Socket } from 'node:net'
import { connect as connectSecurely, type TLSSocket } from 'node:tls'
import { AbstractConnector, type RedisOptions } from 'ioredis'
import type { ClusterMap } from './cluster-map.ts'

/**
 * Has an ioredis connection lead to the master that holds the keys with this hash tag, also when that becomes another one: each time
 * it connects it asks who that is, and it is cut when that changes. So it behaves as a connection to one server does, and never
 * sends an append twice.
 */
export function slotConnector(map: ClusterMap, key: string) {
  return class SlotConnector extends AbstractConnector {
    readonly #tls: RedisOptions['tls']

    constructor(options: unknown) {
      const { disconnectTimeout, tls } = options as RedisOptions
      super(disconnectTimeout ?? 2_000)
      this.#tls = tls
    }

    override async connect(): Promise<Socket | TLSSocket> {
      this.connecting = true
      const stream = await this.#open().catch((error: Error) => {
        // ioredis gives up for good when this rejects, but tries again when the connection fails.
        this.firstError = error
        return new Socket().destroy()
      })
      if (!this.connecting) {
        stream.destroy()
        throw new Error('Connection is closed.')
      }
      this.stream = stream
      return stream
    }

    async #open(): Promise<Socket | TLSSocket> {
      const holder = await map.find(key)
      const { host, port } = holder
      const stream = this.#tls ? connectSecurely({ ...this.#tls, host, port }) : connectPlain({ host, port })
      const unwatch = map.watch(holder, () => stream.destroy())
      stream.once('close', unwatch)
      stream.once('error', (error) => {
        this.firstError = error
      })
      return stream
    }
  }
}
