import { quoted } from '@orbitmq/base';
import { nearestName } from '@orbitmq/runtime';

/** An object that somebody wrote, key by key, with all that is wrong with it. */
export class Fields {
  /** For messages: `topics[2] ("orders")`. */
  readonly place: string;
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #problems: string[];

  /** @param known every key that may be there */
  constructor(place: string, value: unknown, known: readonly string[], problems: string[]) {
    this.place = place;
    this.#problems = problems;
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    this.#values = isObject ? (value as Record<string, unknown>) : {};
    if (!isObject) this.problem(`must be an object with ${known.join(', ')}; found ${found(value)}`);
    for (const key of Object.keys(this.#values)) if (!known.includes(key)) this.#unknown(key, known);
  }

  problem(text: string): void {
    this.#problems.push(`${this.place}: ${text}`);
  }

  list(key: string): readonly unknown[] {
    const value = this.#value(key);
    if (value === undefined) return [];
    if (Array.isArray(value)) return value;
    return this.#wrong(key, 'a list', value) ?? [];
  }

  text(key: string): string | undefined {
    const value = this.#value(key);
    return value === undefined || typeof value === 'string' ? value : this.#wrong(key, 'a text', value);
  }

  flag(key: string): boolean | undefined {
    const value = this.#value(key);
    return value === undefined || typeof value === 'boolean' ? value : this.#wrong(key, 'true or false', value);
  }

  wholeNumber(key: string): number | undefined {
    const value = this.#value(key);
    if (value === undefined || Number.isSafeInteger(value)) return value as number | undefined;
    return this.#wrong(key, 'a whole number', value);
  }

  number(key: string): number | undefined {
    const value = this.#value(key);
    return value === undefined || typeof value === 'number' ? value : this.#wrong(key, 'a number', value);
  }

  /** Any value; undefined when it is not there. */
  any(key: string): unknown {
    return this.#value(key);
  }

  /** Texts by name; null takes one away. Numbers and true or false are taken as they are written. */
  attributes(key: string): { readonly put: Map<string, string>; readonly removed: string[] } {
    const put = new Map<string, string>();
    const removed: string[] = [];
    const value = this.#value(key) ?? {};
    if (typeof value !== 'object' || Array.isArray(value)) this.#wrong(key, 'an object', value);
    else {
      for (const [name, text] of Object.entries(value)) {
        if (text === null) removed.push(name);
        else if (typeof text === 'object') this.#wrong(`${key}.${name}`, 'a text', text);
        else put.set(name, String(text));
      }
    }
    return { put, removed };
  }

  /** What is null was left empty by whoever made the file. */
  #value(key: string): unknown {
    const value = Object.hasOwn(this.#values, key) ? this.#values[key] : undefined;
    return value ?? undefined;
  }

  #unknown(key: string, known: readonly string[]): void {
    const nearest = nearestName(key, known);
    this.problem(
      `there is no key ${quoted(key)}; ${nearest ? `did you mean ${nearest}?` : `there are ${known.join(', ')}`}`,
    );
  }

  #wrong(key: string, wanted: string, value: unknown): undefined {
    this.problem(`${key} must be ${wanted}; found ${found(value)}`);
  }
}

const SHOWN_MAX = 64;

function found(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}
