import { homedir } from 'node:os';
import { z } from 'zod';

/** What an operator may set under one name. Made by the functions below, so that all keys of a kind behave alike. */
export interface ConfigKey<Value> {
  /** Turns the text of a file, variable or flag into the value; its issues complete the sentence "… must be". */
  readonly schema: z.ZodType<Value, string>;
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
}

function configKey<Value>(
  schema: z.ZodType<Value, string>,
  accepts: string,
  defaultValue: Value,
  text: KeyText,
): ConfigKey<Value> {
  return {
    schema,
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
  const schema = z
    .string()
    .regex(/^[+-]?\d{1,16}$/, accepts)
    .transform(Number)
    .pipe(z.number().min(options.min, accepts).max(options.max, accepts));
  return configKey(schema, accepts, options.default, options);
}

/** A TCP port; 0 takes any free one. */
export function port(options: KeyText & { default: number }): ConfigKey<number> {
  return wholeNumber({ ...options, min: 0, max: 65535 });
}

/** A TCP port that has another default than a number: absent when nothing sets it. */
export function optionalPort(options: KeyText): ConfigKey<number | undefined> {
  const accepts = 'whole number, 0…65535';
  const schema = z
    .string()
    .refine((text) => /^\d{1,5}$/.test(text) && Number(text) <= 65535, accepts)
    .transform((text): number | undefined => Number(text));
  return configKey<number | undefined>(schema, accepts, undefined, options);
}

/** `true` or `false`, in any letter case. */
export function flag(options: KeyText & { default: boolean }): ConfigKey<boolean> {
  const accepts = 'true or false';
  const schema = z
    .string()
    .regex(/^(true|false)$/i, accepts)
    .transform((text) => text.toLowerCase() === 'true');
  return configKey(schema, accepts, options.default, options);
}

/** One of some words, in any letter case. */
export function choice<const Word extends string>(
  options: KeyText & { default: NoInfer<Word>; words: readonly Word[] },
): ConfigKey<Word> {
  const accepts = options.words.join(' or ');
  const schema = z.string().transform((text, context) => {
    const word = options.words.find((candidate) => candidate.toLowerCase() === text.toLowerCase());
    if (word !== undefined) return word;
    context.addIssue({ code: 'custom', message: accepts });
    return z.NEVER;
  });
  return configKey<Word>(schema, accepts, options.default, options);
}

/** A text that matches `pattern`; `accepts` says so in words. */
export function textKey(options: KeyText & { default: string; accepts: string; pattern?: RegExp }): ConfigKey<string> {
  const schema = z.string().regex(options.pattern ?? /^.*$/s, options.accepts);
  return configKey(schema, options.accepts, options.default, options);
}

/** A text that may be absent; set to nothing it counts as absent. */
export function optionalText(options: KeyText & { accepts: string; pattern?: RegExp }): ConfigKey<string | undefined> {
  const schema = z
    .string()
    .refine((text) => text === '' || (options.pattern ?? /^.*$/s).test(text), options.accepts)
    .transform((text) => (text === '' ? undefined : text));
  return configKey<string | undefined>(schema, options.accepts, undefined, options);
}

const ADDRESS = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/;

/** `host:port` pairs separated by `;`, IPv6 addresses in brackets. May be empty. */
export function addressList(options: KeyText): ConfigKey<readonly string[]> {
  const accepts = 'host:port pairs separated by ";"';
  const schema = z.string().transform((text, context) => {
    const addresses = text.split(';').map((part) => part.trim());
    const filled = addresses.filter((address) => address !== '');
    const wrong = filled.find(
      (address) => Number(ADDRESS.exec(address)?.[2] ?? 0) < 1 || Number(ADDRESS.exec(address)?.[2]) > 65535,
    );
    if (wrong === undefined) return Object.freeze([...new Set(filled)]) as readonly string[];
    context.addIssue({ code: 'custom', message: `${accepts}; ${JSON.stringify(wrong.slice(0, 128))} is none` });
    return z.NEVER;
  });
  return configKey<readonly string[]>(schema, accepts, Object.freeze([]), { defaultText: '', ...options });
}

/** A path; `~`, `$HOME`, `${HOME}` and `${user.home}` at its beginning stand for the home directory. */
export function path(options: KeyText & { default: string }): ConfigKey<string> {
  const accepts = 'path';
  const schema = z
    .string()
    .min(1, accepts)
    .refine((text) => !text.includes('\0'), accepts)
    .transform(expandHome);
  return configKey(schema, accepts, expandHome(options.default), { defaultText: options.default, ...options });
}

/** A path that may be absent. */
export function optionalPath(options: KeyText): ConfigKey<string | undefined> {
  const schema = z.string().transform((text) => (text === '' ? undefined : expandHome(text)));
  return configKey<string | undefined>(schema, 'path', undefined, options);
}

function expandHome(text: string): string {
  return text.replace(/^(~|\$HOME|\$\{HOME\}|\$\{user\.home\})(?=\/|$)/, () => homedir());
}
