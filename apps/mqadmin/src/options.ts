import { quoted } from '@orbitmq/base';
import { type Options, UsageError } from './usage.ts';

/** Text of an option; undefined when it is not there. */
export function textOf(options: Options, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value.trim() : undefined;
}

/** Text of an option that the verb requires. */
export function requiredText(options: Options, name: string): string {
  const value = textOf(options, name);
  if (value) return value;
  throw new UsageError(`--${name} must not be empty`);
}

/** @throws UsageError when it is no whole number within the limits */
export function wholeNumberOf(options: Options, name: string, min: number, max: number): number | undefined {
  const text = textOf(options, name);
  if (text === undefined) return undefined;
  const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(`--${name} must be a whole number, ${min}…${max}; found ${quoted(text)}`);
}

/** @throws UsageError when it is neither true nor false */
export function flagOf(options: Options, name: string): boolean | undefined {
  const text = textOf(options, name)?.toLowerCase();
  if (text === undefined) return undefined;
  if (text === 'true' || text === 'false') return text === 'true';
  throw new UsageError(`--${name} must be true or false; found ${quoted(text)}`);
}

/** Attributes to put and to remove. */
export interface AttributeChanges {
  readonly attributesPut: Map<string, string>;
  readonly attributesRemoved: string[];
}

/**
 * Reads attributes in the original's form: `+message.type=FIFO,-reserve.time`.
 * @throws UsageError
 */
export function attributeChanges(text: string | undefined): AttributeChanges {
  const changes: AttributeChanges = { attributesPut: new Map(), attributesRemoved: [] };
  for (const part of (text ?? '').split(',').map((each) => each.trim())) {
    if (part === '') continue;
    const put = /^\+([^=]+)=(.*)$/.exec(part);
    const removed = /^-([^=]+)$/.exec(part);
    const name = (put ?? removed)?.[1]?.trim();
    if (!name)
      throw new UsageError(`attributes are written +key=value or -key, separated by commas; found ${quoted(part)}`);
    if (changes.attributesPut.has(name) || changes.attributesRemoved.includes(name)) {
      throw new UsageError(`each attribute is named once; found ${quoted(name)} again`);
    }
    if (put) changes.attributesPut.set(name, put[2]!.trim());
    else changes.attributesRemoved.push(name);
  }
  return changes;
}
