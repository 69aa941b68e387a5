import { Metadata as GrpcMetadata } from '@grpc/grpc-js';
import type { Metadata } from '../service.ts';

/** Metadata of grpc-js, read through our interface. */
export class ReceivedMetadata implements Metadata {
  readonly #metadata: GrpcMetadata;

  constructor(metadata: GrpcMetadata) {
    this.#metadata = metadata;
  }

  get(key: string): string | undefined {
    const value = this.#metadata.get(key)[0];
    return value === undefined ? undefined : textOf(value);
  }

  *entries(): Iterable<readonly [string, string]> {
    for (const key of Object.keys(this.#metadata.getMap())) {
      for (const value of this.#metadata.get(key)) yield [key, textOf(value)];
    }
  }
}

/**
 * Metadata for grpc-js to send. Pairs that gRPC forbids (control or non-ASCII characters in a value, its own reserved
 * names) are left out: they may come from a client whose call is passed on.
 */
export function sentMetadata(pairs: Iterable<readonly [string, string]> | undefined): GrpcMetadata {
  const metadata = new GrpcMetadata();
  if (!pairs) return metadata;
  for (const [key, value] of pairs) {
    if (!/^[0-9a-z_.-]+$/.test(key) || key.startsWith('grpc-')) continue;
    if (key.endsWith('-bin')) metadata.add(key, Buffer.from(value, 'base64'));
    else if (/^[ -~]*$/.test(value)) metadata.add(key, value);
  }
  return metadata;
}

function textOf(value: string | Buffer): string {
  return typeof value === 'string' ? value : value.toString('base64');
}
