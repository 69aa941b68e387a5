import type { Metadata } from '../service.ts';
import type { HeaderField } from './hpack/header-field.ts';
import { isMetadata } from './request-head.ts';

const BINARY_SUFFIX = '-bin';

/** The metadata of a request, read from its header list when it is asked for. */
export class FieldMetadata implements Metadata {
  /** The whole list. */
  readonly fields: readonly HeaderField[];

  constructor(fields: readonly HeaderField[]) {
    this.fields = fields;
  }

  get(key: string): string | undefined {
    for (const field of this.fields) {
      if (field.name === key && isMetadata(field)) return valuesOf(field)[0];
    }
    return undefined;
  }

  *entries(): Iterable<readonly [string, string]> {
    for (const field of this.fields) {
      if (!isMetadata(field)) continue;
      for (const value of valuesOf(field)) yield [field.name, value];
    }
  }
}

/** Several binary values may have been joined by commas; padding is optional on the wire. */
export function valuesOf({ name, value }: HeaderField): string[] {
  if (!name.endsWith(BINARY_SUFFIX)) return [value];
  return value.split(',').map((part) => Buffer.from(part, 'base64').toString('base64'));
}
