import { CLIENT_ADDRESS_HEADER } from '@orbitmq/protocol';
import { ownCopy } from '../bytes.ts';
import { isPassedHeader, PassedMetadata } from '../passed-metadata.ts';
import { metadataFields, timeoutText } from './client-headers.ts';
import { HpackEncoder, type SentField } from './hpack/encoder.ts';
import type { HeaderField } from './hpack/header-field.ts';
import { FieldMetadata, valuesOf } from './metadata.ts';
import { isMetadata } from './request-head.ts';

/** Texts whose fields are kept ready: clients that are passed on, times that are left. */
const KEPT_MAX = 1024;
const NONE = new Uint8Array(0);

/** Encodes fields that get no place in a table: their bytes are the same for all connections. */
const literals = new HpackEncoder();

/**
 * The fields that only one call has, as parts of its header block behind those that all calls of its path have. There is
 * one for many calls: it is filled and taken in the same breath.
 */
export class OwnHeaders {
  readonly parts: Uint8Array[] = [];
  partCount = 0;
  byteCount = 0;
  readonly #addresses = new Map<string, Uint8Array>();
  readonly #timeouts = new Map<number, Uint8Array>();

  /** @param remainingMs Infinity = no deadline */
  fill(metadata: readonly SentField[] | PassedMetadata | undefined, remainingMs: number): void {
    this.partCount = 0;
    this.byteCount = 0;
    if (metadata instanceof PassedMetadata) this.#addPassed(metadata);
    else if (metadata !== undefined) this.#add(literals.encode(metadata));
    if (remainingMs !== Number.POSITIVE_INFINITY) this.#add(this.#timeout(remainingMs));
  }

  #addPassed(passed: PassedMetadata): void {
    const { metadata, peer } = passed.call;
    if (metadata instanceof FieldMetadata) {
      for (const field of metadata.fields) {
        field.passed ??= passedForm(field);
        if (field.passed.length > 0) this.#add(field.passed);
      }
    } else {
      for (const [name, value] of metadata.entries()) if (isPassedHeader(name)) this.#add(literalOf(name, value));
    }
    this.#add(this.#address(peer));
    if (passed.added) this.#add(literalOf(passed.added[0], passed.added[1]));
  }

  #add(part: Uint8Array): void {
    this.parts[this.partCount++] = part;
    this.byteCount += part.length;
  }

  #address(peer: string): Uint8Array {
    const known = this.#addresses.get(peer);
    return known ?? kept(this.#addresses, peer, literalOf(CLIENT_ADDRESS_HEADER, peer));
  }

  #timeout(remainingMs: number): Uint8Array {
    const wholeMs = Math.max(1, Math.ceil(remainingMs));
    const known = this.#timeouts.get(wholeMs);
    if (known) return known;
    return kept(this.#timeouts, wholeMs, literals.encode([{ name: 'grpc-timeout', value: timeoutText(wholeMs) }]));
  }
}

function kept<Key>(map: Map<Key, Uint8Array>, key: Key, bytes: Uint8Array): Uint8Array {
  if (map.size === KEPT_MAX) map.clear();
  const own = ownCopy(bytes);
  map.set(key, own);
  return own;
}

/** What a field of a client's call becomes where the call is passed on; empty when it is not for others. */
function passedForm(field: HeaderField): Uint8Array {
  if (!isMetadata(field) || !isPassedHeader(field.name)) return NONE;
  const fields = metadataFields(valuesOf(field).map((value) => [field.name, value]));
  return fields === undefined ? NONE : ownCopy(literals.encode(fields));
}

/** One pair of metadata; empty when gRPC forbids it. */
function literalOf(name: string, value: string): Uint8Array {
  const fields = metadataFields([[name, value]]);
  return fields === undefined ? NONE : literals.encode(fields);
}
