import { z } from 'zod'
import { GanchoError } from '../../errors.ts'
import { headerOf, hmacOf, isPlainSecret, matches, type Scheme, type SchemeOptions } from './scheme.ts'

const form = z.strictObject({
  header: z
    .string()
    .regex(/^[A-Za-z0-9-]{1,64}$/)
    .transform((name) => name.toLowerCase()),
  algorithm: z.enum(['sha256', 'sha512']).nullish(),
  encoding: z.enum(['hex', 'base64']).nullish(),
  prefix: z
    .string()
    .regex(/^[!-~]{0,32}$/)
    .nullish(),
})

/** The HMAC of the body in one header, without a time: SHA-256 in hexadecimal digits unless the options say otherwise. */
export const hmac: Scheme = {
  readOptions(options): SchemeOptions {
    const read = form.safeParse(options)
    if (!read.success)
      throw new GanchoError(
        'BAD_REQUEST',
        'HMAC needs the header of the signature, and takes algorithm, encoding and prefix.',
      )
    const { header, algorithm, encoding, prefix } = read.data
    return {
      header,
      algorithm: algorithm ?? 'sha256',
      encoding: encoding ?? 'hex',
      prefix: prefix ?? '',
    }
  },
  isSecret: isPlainSecret,
  verify(request, secrets, { header = '', algorithm = 'sha256', encoding, prefix = '' }) {
    const signature = headerOf(request, header)
    if (!signature?.startsWith(prefix)) return false
    const expected = secrets.map((secret) => hmacOf(algorithm, secret, request.body))
    return matches([signature.slice(prefix.length)], encoding === 'base64' ? 'base64' : 'hex', expected)
  },
}
