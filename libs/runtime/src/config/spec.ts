import type { ConfigKey } from './key.ts';

/** Keys of a service by name. */
// biome-ignore lint/suspicious/noExplicitAny: keys of different value types in one table; ConfigOf restores them
export type ConfigKeys = Readonly<Record<string, ConfigKey<any>>>;

/** The values of a table of keys. */
export type ConfigOf<Keys extends ConfigKeys> = {
  readonly [Name in keyof Keys]: Keys[Name] extends ConfigKey<infer Value> ? Value : never;
};

/** Everything that an operator may write for one service. */
export interface ConfigSpec<Keys extends ConfigKeys> {
  /** The program's name: `mqbroker`. */
  readonly program: string;
  readonly keys: Keys;
  /** Known keys that are accepted and change nothing, with the reason. One warning names those that are set. */
  readonly withoutEffect: ReadonlyMap<string, string>;
  /** Relations between values: each text names the keys, what was found and what to do. */
  check(config: ConfigOf<Keys>): readonly string[];
}

/** Where a value came from, strongest last. */
export type ConfigSource = 'default' | 'file' | 'environment' | 'flag';

/** A service's configuration as it runs. */
export interface LoadedConfig<Keys extends ConfigKeys> {
  readonly config: ConfigOf<Keys>;
  /** Sentences for the log. */
  readonly warnings: readonly string[];
  readonly sources: Readonly<Record<keyof Keys & string, ConfigSource>>;
}

/** A configuration that can't be used: all that is wrong with it, a sentence each. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(program: string, problems: readonly string[]) {
    super(
      `${program}: the configuration has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`,
    );
    this.name = 'ConfigError';
    this.problems = problems;
  }
}
