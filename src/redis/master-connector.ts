import { connect as connectPlain, Socket } from 'node:net'
import { connect as connectSecurely, type TLSSocket } from 'node:tls'
import { AbstractConnector, type RedisOptions } from 'ioredis'
import type { HostAndPort } from './redis-address.ts'

/** Who is the master, of a Sentinel set or of a part of a Cluster. */
export type ServerMap<Holder extends HostAndPort = HostAndPort> = {
  /** Asks who holds this key, or all keys with this hash tag. @throws Error when nobody does, or nobody answers */
  find(key: string): Promise<Holder>
  /** Calls `gone` when the master is seen to be another one. Returns how to stop watching. */
  watch(holder: Holder, gone: () => void): () => void
  close(): void
}

/**
 * Has an ioredis connection lead to the master that holds the keys with this hash tag, also when that becomes another one: each time
 * it connects it asks who that is, and it is cut when that changes. So it behaves as a connection to one server does, and never
 * sends an append twice.
 */
export function masterConnector<Holder extends HostAndPort>(map: ServerMap<Holder>, key: string) {
  return class MasterConnector extends AbstractConnector {
    readonly #tls: RedisOptions['tls']

    constructor(options: unknown) {
      const { disconnectTimeout, tls } = options as RedisOptions
      super(disconnectTimeout ?? 2_000)
      this.#tls = tls
    }

    /** A server that was made a replica since it was found is left, and the search begins anew. */
    override check(info: { role?: string } | undefined): boolean {
      return info?.role !== 'slave'
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
