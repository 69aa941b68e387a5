import { homedir } from 'node:os';
import * as z from 'zod/mini';

/** What a value looks like, for documents that other programs check: a chart's schema. */
export type ConfigShape =
  | { readonly type: 'integer' | 'number'; readonly min: number; readonly max: number }
  | { readonly type: 'boolean' }
  | { readonly type: 'choice'; readonly words: readonly string[] }
  | { readonly type: 'text' };

/** What an operator may set under one name. Made by the functions below, so that all keys of a kind behave alike. */
export interface ConfigKey<Value> {
  /** Turns the text of a file, variable or flag into the value; its issues complete the sentence "… must be". */
  readonly schema: z.ZodMiniType<Value, string>;
  readonly shape: ConfigShape;
  /** Used when nothing sets the key. */
  readonly defaultValue: Value;
  /** The default in words, where the value depends on the machine. */
  readonly defaultText: string;
  /** What may be written, in words: `whole number, 1…65535`. */
  readonly accepts: string;
  /** `ms`, `bytes`, `percent` …, or empty. */
  readonly unit: string;
  /** One or two sentences for the operator. */
  readonly description: string;
  /** The value is never printed. */
  readonly secret: boolean;
}

interface KeyText {
  readonly description: string;
  readonly unit?: string;
  readonly secret?: boolean;
  /** The default in words, where it depends on the machine. */
  readonly defaultText?: string;
  /** Text, where nothing else is said. */
  readonly shape?: ConfigShape;
}

const TEXT: ConfigShape = { type: 'text' };

function configKey<Value>(
  schema: z.ZodMiniType<Value, string>,
  accepts: string,
  defaultValue: Value,
  text: KeyText,
): ConfigKey<Value> {
  return {
    schema,
    shape: text.shape ?? TEXT,
    accepts,
    defaultValue,
    defaultText: text.defaultText ?? String(defaultValue ?? ''),
    unit: text.unit ?? '',
    description: text.description,
    secret: text.secret ?? false,
  };
}

/** A whole number within inclusive limits. */
export function wholeNumber(options: KeyText & { default: number; min: number; max: number }): ConfigKey<number> {
  const accepts = `whole number, ${options.min}…${options.max}`;
  const digits = z.string().check(z.regex(/^[+-]?\d{1,16}$/, accepts));
  const number = z.number().check(z.gte(options.min, accepts), z.lte(options.max, accepts));
  const schema = z.pipe(z.pipe(digits, z.transform(Number)), number);
  const shape: ConfigShape = { type: 'integer', min: options.min, max: options.max };
  return configKey(schema, accepts, options.default, { ...options, shape });
}

/** A number within inclusive limits, which may have a fraction. */
export function decimalNumber(options: KeyText & { default: number; min: number; max: number }): ConfigKey<number> {
  const accepts = `number, ${options.min}…${options.max}`;
  const digits = z.string().check(z.regex(/^[+-]?\d{1,16}(\.\d{1,16})?$/, accepts));
  const number = z.number().check(z.gte(options.min, accepts), z.lte(options.max, accepts));
  const schema = z.pipe(z.pipe(digits, z.transform(Number)), number);
  const shape: ConfigShape = { type: 'number', min: options.min, max: options.max };
  return configKey(schema, accepts, options.default, { ...options, shape });
}

/** A TCP port; 0 takes any free one. */
export function port(options: KeyText & { default: number }): ConfigKey<number> {
  return wholeNumber({ ...options, min: 0, max: 65535 });
}

/** A TCP port that has another default than a number: absent when nothing sets it. */
export function optionalPort(options: KeyText): ConfigKey<number | undefined> {
  const accepts = 'whole number, 0…65535';
  const digits = z.string().check(z.refine((text) => /^\d{1,5}$/.test(text) && Number(text) <= 65535, accepts));
  const schema = z.pipe(
    digits,
    z.transform((text: string): number | undefined => Number(text)),
  );
  const shape: ConfigShape = { type: 'integer', min: 0, max: 65_535 };
  return configKey<number | undefined>(schema, accepts, undefined, { ...options, shape });
}

/** `true` or `false`, in any letter case. */
export function flag(options: KeyText & { default: boolean }): ConfigKey<boolean> {
  const accepts = 'true or false';
  const schema = z.pipe(
    z.string().check(z.regex(/^(true|false)$/i, accepts)),
    z.transform((text: string) => text.toLowerCase() === 'true'),
  );
  return configKey(schema, accepts, options.default, { ...options, shape: { type: 'boolean' } });
}

/** One of some words, in any letter case. */
export function choice<const Word extends string>(
  options: KeyText & { default: NoInfer<Word>; words: readonly Word[] },
): ConfigKey<Word> {
  const accepts = options.words.join(' or ');
  const findWord = (text: string): Word | undefined =>
    options.words.find((candidate) => candidate.toLowerCase() === text.toLowerCase());
  const schema = z.pipe(
    z.string().check(z.refine((text) => findWord(text) !== undefined, accepts)),
    z.transform((text: string) => findWord(text)!),
  );
  return configKey<Word>(schema, accepts, options.default, {
    ...options,
    shape: { type: 'choice', words: options.words },
  });
}

/** A text that matches `pattern`; `accepts` says so in words. */
export function textKey(options: KeyText & { default: string; accepts: string; pattern?: RegExp }): ConfigKey<string> {
  const schema = z.string().check(z.regex(options.pattern ?? /^.*$/s, options.accepts));
  return configKey(schema, options.accepts, options.default, options);
}

/** A text that may be absent; set to nothing it counts as absent. */
export function optionalText(options: KeyText & { accepts: string; pattern?: RegExp }): ConfigKey<string | undefined> {
  const pattern = options.pattern ?? /^.*$/s;
  const schema = z.pipe(
    z.string().check(z.refine((text) => text === '' || pattern.test(text), options.accepts)),
    z.transform((text: string) => (text === '' ? undefined : text)),
  );
  return configKey<string | undefined>(schema, options.accepts, undefined, options);
}

const ADDRESS = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/;

/** `host:port` pairs separated by `;`, IPv6 addresses in brackets. May be empty. */
export function addressList(options: KeyText): ConfigKey<readonly string[]> {
  const accepts = 'host:port pairs separated by ";"';
  const schema = z.pipe(
    z.string().check(z.refine((text) => splitAddresses(text).every(isAddress), accepts)),
    z.transform((text: string): readonly string[] => Object.freeze([...new Set(splitAddresses(text))])),
  );
  return configKey<readonly string[]>(schema, accepts, Object.freeze([]), { defaultText: '', ...options });
}

function splitAddresses(text: string): string[] {
  return text
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function isAddress(text: string): boolean {
  const port = Number(ADDRESS.exec(text)?.[2] ?? 0);
  return port >= 1 && port <= 65535;
}

/** A path; `~`, `$HOME`, `${HOME}` and `${user.home}` at its beginning stand for the home directory. */
export function path(options: KeyText & { default: string }): ConfigKey<string> {
  const accepts = 'path';
  const schema = z.pipe(
    z.string().check(z.refine((text) => text !== '' && !text.includes('\0'), accepts)),
    z.transform(expandHome),
  );
  return configKey(schema, accepts, expandHome(options.default), { defaultText: options.default, ...options });
}

/** A path that may be absent. */
export function optionalPath(options: KeyText): ConfigKey<string | undefined> {
  const schema = z.pipe(
    z.string(),
    z.transform((text: string) => (text === '' ? undefined : expandHome(text))),
  );
  return configKey<string | undefined>(schema, 'path', undefined, options);
}

function expandHome(text: string): string {
  return text.replace(/^(~|\$HOME|\$\{HOME\}|\$\{user\.home\})(?=\/|$)/, () => homedir());
}
