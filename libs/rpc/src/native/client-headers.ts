import { isTransportHeader } from '../transport-headers.ts';
import { type HpackEncoder, PreparedBlock, type SentField } from './hpack/encoder.ts';

/** Paths whose headers are kept ready; a service has fewer methods. */
const PATHS_MAX = 256;

/** The longest number that grpc-timeout may have. */
const TIMEOUT_MAX = 99_999_999;

/** Makes what the header blocks of the calls of one connection begin with. */
export class RequestHeaders {
  readonly #encoder: HpackEncoder;
  readonly #scheme: string;
  readonly #authority: string;
  readonly #blocks = new Map<string, PreparedBlock>();

  constructor(encoder: HpackEncoder, scheme: 'http' | 'https', authority: string) {
    this.#encoder = encoder;
    this.#scheme = scheme;
    this.#authority = authority;
  }

  /** What calls of one path have in common. It has to be the first part of a block. */
  commonOf(path: string): Buffer {
    const known = this.#blocks.get(path);
    if (known) return known.blockFor(this.#encoder);
    const isKept = this.#blocks.size < PATHS_MAX;
    const block = new PreparedBlock(this.#commonFields(path, isKept));
    if (isKept) this.#blocks.set(path, block);
    return block.blockFor(this.#encoder);
  }

  #commonFields(path: string, isRepeated: boolean): SentField[] {
    return [
      { name: ':method', value: 'POST' },
      { name: ':scheme', value: this.#scheme },
      { name: ':path', value: path, isRepeated },
      { name: ':authority', value: this.#authority, isRepeated: true },
      { name: 'te', value: 'trailers', isRepeated: true },
      { name: 'content-type', value: 'application/grpc', isRepeated: true },
      { name: 'user-agent', value: 'orbitmq', isRepeated: true },
      { name: 'grpc-accept-encoding', value: 'identity', isRepeated: true },
    ];
  }
}

/** A time as grpc-timeout has it: at most eight digits and a unit, rounded up. */
export function timeoutText(ms: number): string {
  const wholeMs = Math.max(1, Math.ceil(ms));
  if (wholeMs <= TIMEOUT_MAX) return `${wholeMs}m`;
  const seconds = Math.ceil(wholeMs / 1000);
  if (seconds <= TIMEOUT_MAX) return `${seconds}S`;
  return `${Math.min(TIMEOUT_MAX, Math.ceil(seconds / 3600))}H`;
}

/**
 * Metadata as fields. Pairs that gRPC forbids (control or non-ASCII characters in a value, its own and reserved names)
 * are left out: they may come from a client whose call is passed on.
 */
export function metadataFields(pairs: Iterable<readonly [string, string]> | undefined): SentField[] | undefined {
  if (!pairs) return undefined;
  const fields: SentField[] = [];
  for (const [name, value] of pairs) {
    if (!/^[0-9a-z_.-]+$/.test(name) || isTransportHeader(name)) continue;
    if (name.endsWith('-bin')) fields.push({ name, value: Buffer.from(value, 'base64').toString('base64') });
    else if (/^[ -~]*$/.test(value)) fields.push({ name, value: value.trim() });
  }
  return fields.length === 0 ? undefined : fields;
}
