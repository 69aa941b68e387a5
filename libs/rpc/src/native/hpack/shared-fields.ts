import { HeaderField } from './header-field.ts';

const NAMES_MAX = 64;
const VALUES_MAX = 16;
const TEXT_CHARACTERS_MAX = 128;

/**
 * Fields that many connections keep in their tables are one and the same: clients say nearly the same things, and thousands
 * of idle connections would hold a kilobyte each. What comes first is kept, and no more than a bounded number.
 */
export class SharedFields {
  readonly #fields = new Map<string, Map<string, HeaderField>>();

  /** A field with these texts, which others may have, too. */
  get(name: string, value: string): HeaderField {
    const known = this.#fields.get(name);
    const shared = known?.get(value);
    if (shared !== undefined) return shared;
    const field = new HeaderField(name, value);
    if (name.length + value.length > TEXT_CHARACTERS_MAX) return field;
    if (known === undefined) {
      if (this.#fields.size < NAMES_MAX) this.#fields.set(name, new Map([[value, field]]));
    } else if (known.size < VALUES_MAX) {
      known.set(value, field);
    }
    return field;
  }
}
