import { quoted } from '@orbitmq/base';
import * as z from 'zod/mini';
import { environmentName, fromEnvironment } from './environment.ts';
import { nearestName } from './nearest.ts';
import { parseProperties } from './properties.ts';
import {
  ConfigError,
  type ConfigKeys,
  type ConfigOf,
  type ConfigSource,
  type ConfigSpec,
  type LoadedConfig,
} from './spec.ts';

/** Where values come from; later ones win over earlier ones. */
export interface ConfigInput {
  /** The properties file (`-c`), already read. */
  readonly file?: { readonly name: string; readonly text: string } | undefined;
  /** Variables of the process. */
  readonly environment: ReadonlyMap<string, string>;
  /** Flags by key: `--listenPort=1` is `listenPort` → `1`. */
  readonly flags: ReadonlyMap<string, string>;
}

/** A value as it was written, and where. */
interface Written {
  readonly text: string;
  readonly source: ConfigSource;
  /** For messages: `broker.conf line 3`, `variable ORBITMQ_LISTEN_PORT`, `flag --listenPort`. */
  readonly where: string;
}

/**
 * Builds a service's configuration: defaults, then the file, then the environment, then flags.
 * The result is frozen, and checked as a whole before anything starts.
 * @throws ConfigError listing everything that is wrong
 */
export function loadConfig<Keys extends ConfigKeys>(spec: ConfigSpec<Keys>, input: ConfigInput): LoadedConfig<Keys> {
  const problems: string[] = [];
  const warnings: string[] = [];
  const written = collect(spec, input, problems, warnings);

  const ignored = [...written.keys()].filter((key) => spec.withoutEffect.has(key));
  if (ignored.length > 0) {
    const reasons = ignored.map((key) => `${key} (${spec.withoutEffect.get(key)})`);
    warnings.push(`these keys are accepted and have no effect here: ${reasons.join('; ')}`);
  }

  const values: Record<string, unknown> = {};
  const sources: Record<string, ConfigSource> = {};
  for (const [name, key] of Object.entries(spec.keys)) {
    const entry = written.get(name);
    sources[name] = entry?.source ?? 'default';
    values[name] = key.defaultValue;
    if (entry === undefined) continue;
    const parsed = z.safeParse(key.schema, entry.text);
    if (parsed.success) values[name] = parsed.data;
    else problems.push(refusal(name, entry, parsed.error.issues[0]!.message, key.secret));
  }
  const config = Object.freeze(values) as ConfigOf<Keys>;
  if (problems.length === 0) problems.push(...spec.check(config));
  if (problems.length > 0) throw new ConfigError(spec.program, problems);
  return { config, warnings, sources: sources as LoadedConfig<Keys>['sources'] };
}

function refusal(name: string, entry: Written, accepts: string, secret: boolean): string {
  return `${name} must be ${accepts}; found ${secret ? 'something else' : quoted(entry.text)} (${entry.where})`;
}

/** All that was written, strongest source last; unknown names become problems. */
function collect<Keys extends ConfigKeys>(
  spec: ConfigSpec<Keys>,
  input: ConfigInput,
  problems: string[],
  warnings: string[],
): Map<string, Written> {
  const known = [...Object.keys(spec.keys), ...spec.withoutEffect.keys()];
  const written = new Map<string, Written>();
  const put = (key: string, entry: Written): void => {
    if (known.includes(key)) written.set(key, entry);
    else problems.push(unknownKey(key, entry.where, known));
  };
  if (input.file) collectFile(input.file, put, problems);
  const environment = fromEnvironment(spec, input.environment);
  for (const [key, text] of environment.values) {
    put(key, { text: text.trim(), source: 'environment', where: `variable ${environmentName(key)}` });
  }
  for (const name of environment.unknown) {
    const nearest = nearestName(name, known.map(environmentName));
    warnings.push(`the variable ${name} sets nothing${nearest ? `; did you mean ${nearest}?` : ''}`);
  }
  for (const [key, text] of input.flags) put(key, { text: text.trim(), source: 'flag', where: `flag --${key}` });
  return written;
}

function collectFile(
  file: { readonly name: string; readonly text: string },
  put: (key: string, entry: Written) => void,
  problems: string[],
): void {
  const lines = new Map<string, number>();
  try {
    for (const { key, value, line } of parseProperties(file.text)) {
      const before = lines.get(key);
      if (before !== undefined)
        problems.push(`${quoted(key)} is set twice in ${file.name}, on lines ${before} and ${line}: remove one`);
      lines.set(key, line);
      put(key, { text: value.trim(), source: 'file', where: `${file.name} line ${line}` });
    }
  } catch (error) {
    problems.push(`${file.name} ${(error as Error).message}`);
  }
}

function unknownKey(key: string, where: string, known: readonly string[]): string {
  const nearest = nearestName(key, known);
  return `there is no key ${quoted(key)} (${where})${nearest ? `; did you mean ${nearest}?` : ': remove it'}`;
}
