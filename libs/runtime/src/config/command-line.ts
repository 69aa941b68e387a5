import { readFileSync } from 'node:fs';
import { describeConfig } from './document.ts';
import { processEnvironment } from './environment.ts';
import { configReferenceText } from './help.ts';
import { loadConfig } from './load.ts';
import { ConfigError, type ConfigKeys, type ConfigSpec, type LoadedConfig } from './spec.ts';

/** What a command line asks for: to run, or to print something and end. */
export type CommandLine<Keys extends ConfigKeys> =
  | { readonly action: 'run'; readonly loaded: LoadedConfig<Keys> }
  | { readonly action: 'print'; readonly text: string };

/** Flags with one letter, as RocketMQ's programs have them. */
const SHORT: ReadonlyMap<string, string> = new Map([
  ['-n', 'namesrvAddr'],
  ['-c', 'configFile'],
  ['-p', 'print'],
  ['-m', 'print'],
  ['-h', 'help'],
]);
const SWITCHES = new Set(['print', 'help']);

/**
 * Reads a service's command line: `-c FILE.properties`, `-n ADDRESSES`, `-p` (print the configuration), `-h`, and
 * `--key=value` or `--key value` for every key.
 * @throws ConfigError listing everything that is wrong with flags, file and environment
 */
export function parseCommandLine<Keys extends ConfigKeys>(
  spec: ConfigSpec<Keys>,
  commandArguments: readonly string[],
  environment: ReadonlyMap<string, string> = processEnvironment(),
): CommandLine<Keys> {
  const flags = parseFlags(spec.program, commandArguments);
  if (flags.has('help')) return { action: 'print', text: configReferenceText(spec) };
  const file = readFile(spec.program, flags.get('configFile') ?? environment.get('ORBITMQ_CONFIG_FILE'));
  const print = flags.has('print');
  flags.delete('configFile');
  flags.delete('print');
  const ownEnvironment = new Map(environment);
  ownEnvironment.delete('ORBITMQ_CONFIG_FILE');
  const loaded = loadConfig(spec, { file, environment: ownEnvironment, flags });
  return print ? { action: 'print', text: describeConfig(spec, loaded) } : { action: 'run', loaded };
}

function parseFlags(program: string, commandArguments: readonly string[]): Map<string, string> {
  const flags = new Map<string, string>();
  const problems: string[] = [];
  for (let index = 0; index < commandArguments.length; index++) {
    const argument = commandArguments[index]!;
    const equals = argument.indexOf('=');
    const name = equals < 0 ? argument : argument.slice(0, equals);
    const key = SHORT.get(name) ?? (name.startsWith('--') && name.length > 2 ? name.slice(2) : undefined);
    if (key === undefined) {
      problems.push(`the argument ${JSON.stringify(argument.slice(0, 128))} is neither -c, -n, -p, -h nor --key=value`);
    } else if (SWITCHES.has(key)) {
      flags.set(key, '');
    } else if (equals >= 0) {
      flags.set(key, argument.slice(equals + 1));
    } else if (index + 1 < commandArguments.length && !commandArguments[index + 1]!.startsWith('-')) {
      flags.set(key, commandArguments[++index]!);
    } else {
      problems.push(`${argument} wants a value: ${name.startsWith('--') ? `${name}=VALUE` : `${name} VALUE`}`);
    }
  }
  if (problems.length > 0) throw new ConfigError(program, problems);
  return flags;
}

function readFile(program: string, name: string | undefined): { name: string; text: string } | undefined {
  if (name === undefined) return undefined;
  try {
    return { name, text: readFileSync(name, 'utf8') };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new ConfigError(program, [`the file ${JSON.stringify(name)} given with -c can't be read: ${code}`]);
  }
}
